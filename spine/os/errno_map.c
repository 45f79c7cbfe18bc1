/* One table of errno values; whatever is not in it is TF_IO with the kernel's own words. */
#include "os/errno_map.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int number;
	enum tf_err err;
} table[] = {
	{ENOENT, TF_NOT_FOUND}, {ENOTDIR, TF_NOT_FOUND}, {EEXIST, TF_EXISTS},     {ENOTEMPTY, TF_CONFLICT},
	{ENOSPC, TF_NO_SPACE},  {EDQUOT, TF_NO_SPACE},   {EFBIG, TF_TOO_LARGE},   {ENOMEM, TF_NO_MEMORY},
	{EWOULDBLOCK, TF_BUSY}, {EBUSY, TF_BUSY},        {ETXTBSY, TF_BUSY},      {EADDRINUSE, TF_BUSY},
	{EACCES, TF_DENIED},    {EPERM, TF_DENIED},      {EROFS, TF_DENIED},      {EBADF, TF_DENIED},
	{EISDIR, TF_INVALID},   {EINVAL, TF_INVALID},    {ELOOP, TF_INVALID},     {ENAMETOOLONG, TF_INVALID},
	{EMFILE, TF_OVERLOAD},  {ENFILE, TF_OVERLOAD},   {ETIMEDOUT, TF_TIMEOUT}, {EOPNOTSUPP, TF_UNSUPPORTED},
};

enum tf_err
tf_os_errno(struct tf_fault *f, int number, const char *fmt, ...)
{
	enum tf_err e = TF_IO;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].number == number)
			e = table[i].err;
	if (!f)
		return e;
	char subject[TF_FAULT_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(subject, sizeof(subject), fmt, ap);
	va_end(ap);
	if (e != TF_IO)
		return tf_fault(f, e, "%s: %s", subject, tf_err_text(e));
	char text[80];
	return tf_fault(f, e, "%s: %s", subject, strerror_r(number, text, sizeof(text)));
}
