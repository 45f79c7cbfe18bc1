/* Fuzzes recognition, gzip and zip, and whatever lies inside. */
#include "in_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return in_fuzz(data, size, "");
}
