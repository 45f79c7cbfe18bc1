/* Inside store/lake: DuckDB's library as a table of functions, the lake, and what its three parts share. */
#pragma once
#include <duckdb.h>
#include <pthread.h>

#include "store/lake.h"

/* Every function of libduckdb.so that is called; looked up when it is loaded. Their types are the header's. */
#define LAKE_FUNCTIONS(X)                                                                                              \
	X(duckdb_library_version)                                                                                      \
	X(duckdb_create_config)                                                                                        \
	X(duckdb_set_config)                                                                                           \
	X(duckdb_destroy_config)                                                                                       \
	X(duckdb_open_ext)                                                                                             \
	X(duckdb_close)                                                                                                \
	X(duckdb_connect)                                                                                              \
	X(duckdb_disconnect)                                                                                           \
	X(duckdb_interrupt)                                                                                            \
	X(duckdb_free)                                                                                                 \
	X(duckdb_extract_statements)                                                                                   \
	X(duckdb_extract_statements_error)                                                                             \
	X(duckdb_destroy_extracted)                                                                                    \
	X(duckdb_prepare_extracted_statement)                                                                          \
	X(duckdb_prepare_error)                                                                                        \
	X(duckdb_prepared_statement_type)                                                                              \
	X(duckdb_destroy_prepare)                                                                                      \
	X(duckdb_execute_prepared_streaming)                                                                           \
	X(duckdb_result_error)                                                                                         \
	X(duckdb_destroy_result)                                                                                       \
	X(duckdb_prepared_statement_column_count)                                                                      \
	X(duckdb_prepared_statement_column_name)                                                                       \
	X(duckdb_prepared_statement_column_type)                                                                       \
	X(duckdb_column_count)                                                                                         \
	X(duckdb_column_type)                                                                                          \
	X(duckdb_fetch_chunk)                                                                                          \
	X(duckdb_destroy_data_chunk)                                                                                   \
	X(duckdb_data_chunk_get_size)                                                                                  \
	X(duckdb_data_chunk_set_size)                                                                                  \
	X(duckdb_data_chunk_get_vector)                                                                                \
	X(duckdb_vector_size)                                                                                          \
	X(duckdb_vector_get_data)                                                                                      \
	X(duckdb_vector_get_validity)                                                                                  \
	X(duckdb_vector_ensure_validity_writable)                                                                      \
	X(duckdb_vector_assign_string_element_len)                                                                     \
	X(duckdb_from_date)                                                                                            \
	X(duckdb_from_timestamp)                                                                                       \
	X(duckdb_create_logical_type)                                                                                  \
	X(duckdb_destroy_logical_type)                                                                                 \
	X(duckdb_create_table_function)                                                                                \
	X(duckdb_destroy_table_function)                                                                               \
	X(duckdb_table_function_set_name)                                                                              \
	X(duckdb_table_function_add_named_parameter)                                                                   \
	X(duckdb_table_function_set_extra_info)                                                                        \
	X(duckdb_table_function_set_bind)                                                                              \
	X(duckdb_table_function_set_init)                                                                              \
	X(duckdb_table_function_set_local_init)                                                                        \
	X(duckdb_table_function_set_function)                                                                          \
	X(duckdb_table_function_supports_projection_pushdown)                                                          \
	X(duckdb_register_table_function)                                                                              \
	X(duckdb_bind_get_extra_info)                                                                                  \
	X(duckdb_bind_add_result_column)                                                                               \
	X(duckdb_bind_get_named_parameter)                                                                             \
	X(duckdb_bind_set_bind_data)                                                                                   \
	X(duckdb_bind_set_error)                                                                                       \
	X(duckdb_init_get_bind_data)                                                                                   \
	X(duckdb_init_set_init_data)                                                                                   \
	X(duckdb_init_get_column_count)                                                                                \
	X(duckdb_init_get_column_index)                                                                                \
	X(duckdb_init_set_max_threads)                                                                                 \
	X(duckdb_init_set_error)                                                                                       \
	X(duckdb_function_get_init_data)                                                                               \
	X(duckdb_function_get_local_init_data)                                                                         \
	X(duckdb_function_set_error)                                                                                   \
	X(duckdb_is_null_value)                                                                                        \
	X(duckdb_destroy_value)                                                                                        \
	X(duckdb_get_bool)                                                                                             \
	X(duckdb_get_int32)                                                                                            \
	X(duckdb_get_int64)                                                                                            \
	X(duckdb_get_double)                                                                                           \
	X(duckdb_get_date)                                                                                             \
	X(duckdb_get_timestamp_tz)                                                                                     \
	X(duckdb_get_varchar)

struct lake_duck {
#define X(name) __typeof__(&name) name;
	LAKE_FUNCTIONS(X)
#undef X
};

struct tf_lake {
	const struct lake_duck *duck;
	duckdb_database db;
	duckdb_connection connection;
	struct tf_rows *rows; /* the open result */
	/* The first failure of a C table's callbacks in this statement; its code is lost in DuckDB's error. */
	pthread_mutex_t lock;
	struct tf_fault scan_fault;
};

/* The longest text made here: a HUGEINT of 40 characters. */
#define LAKE_SCRATCH 64

struct lake_result_column {
	char *name;
	duckdb_type type; /* as fetched: VARCHAR where the SELECT casts */
	enum tf_lake_type shown;
	const void *data; /* of the chunk */
	uint64_t *validity;
	char scratch[LAKE_SCRATCH];
};

struct tf_rows {
	struct tf_lake *lake;
	duckdb_prepared_statement statement;
	duckdb_result result;
	duckdb_data_chunk chunk;
	size_t row, row_count; /* of the chunk */
	bool ended;
	size_t column_count;
	struct lake_result_column columns[];
};

/* Loads libduckdb.so, once for the process: later calls get what the first one loaded. */
enum tf_err lake_duck_load(const char *path, const struct lake_duck **out, struct tf_fault *f) TF_MUST_USE;

/* What was loaded; for DuckDB's callbacks, which come only after that. */
const struct lake_duck *lake_duck_loaded(void);

/* Runs a result to its end, dropping its rows: what streams does its work only then. */
enum tf_err lake_drain(struct tf_lake *lake, duckdb_result *result, struct tf_fault *f) TF_MUST_USE;

/* The fault for DuckDB's message text (may be NULL): its code is told by its first words, unless a C table failed. */
enum tf_err lake_fault(struct tf_lake *lake, const char *doing, const char *text, struct tf_fault *f) TF_MUST_USE;
