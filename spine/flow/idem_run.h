/* The head of a run's file as it lies on disk, little-endian; docs/formats/idem.md. */
#pragma once
#include <stddef.h>

#include "idem_impl.h"

#define IDEM_RUN_MAGIC   "TFIDEM1"
#define IDEM_RUN_VERSION 1u

struct idem_run_header {
	char magic[8];
	uint32_t version, entry_bytes;
	uint64_t first, next;     /* log offsets it stands for */
	uint64_t lowest;          /* offset that a key names */
	uint64_t count;           /* keys */
	tf_time earliest, latest; /* of the decisions */
	uint32_t pages, blocks, partners, zero;
	uint64_t rest_check; /* of what follows the pages */
	uint64_t check;      /* of everything before */
};
