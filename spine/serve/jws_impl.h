/* Between the files of JWS; not for users. */
#pragma once
#include "serve/jwt.h"

#define JWS_SIGNATURE_MAX 1024 /* bytes: RSA of 8192 bits */

/* One signature in the form JWS has it (ES256: r and s, 32 bytes each). alg is one bit. */
bool jws_check(struct evp_pkey_st *key, unsigned alg, struct tf_str text, struct tf_str signature);
bool jws_make(struct evp_pkey_st *key, unsigned alg, struct tf_str text, uint8_t out[static JWS_SIGNATURE_MAX],
	      size_t *out_n);
