/* Fuzzes the csv parser. */
#include "in_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return in_fuzz(data, size, "csv");
}
