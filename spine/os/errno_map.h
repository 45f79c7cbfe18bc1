/* errno as tf_err, in one place. Private to spine/os. */
#pragma once
#include "base/err.h"

/* Fills f with the printf-formatted message, ": " and what the errno value means; returns its code. */
enum tf_err tf_os_errno(struct tf_fault *f, int number, const char *fmt, ...) TF_PRINTF(3, 4);
