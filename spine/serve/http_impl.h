/* Between http_in.c and http_head.c. */
#pragma once
#include "serve/http.h"

enum tf_http_event tf_http_refuse(struct tf_http_in *in, int status, const char *why);
/* Parses in->head into in->request: TF_HTTP_HEAD or a refusal. */
enum tf_http_event tf_http_parse_head(struct tf_http_in *in);
/* One header line without its CRLF: NULL, or what is wrong with it. */
const char *tf_http_header_line(struct tf_str line, struct tf_http_header *out);
/* chunk-size [ chunk-ext ], without CRLF. */
bool tf_http_chunk_line(struct tf_str line, uint64_t *out_size);
