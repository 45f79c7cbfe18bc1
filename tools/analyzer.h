/* Read in front of every file by clang-tidy alone (tools/tidy.sh): the analyzer looks at one file at a time and cannot
 * see that tf_fault returns the code it was given, which is never TF_OK. Without this it follows paths that do not
 * exist. */
#include "base/err.h"

#define tf_fault(f, code, ...)      ((void)(tf_fault)((f), (code), __VA_ARGS__), (code))
#define tf_fault_wrap(f, code, ...) ((void)(tf_fault_wrap)((f), (code), __VA_ARGS__), (code))
