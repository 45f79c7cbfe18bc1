/* Workers as threads. Private to spine/os.
 *
 * The first few threads stay when their work is done, and wait for more: a group commit has a worker for each sync, a
 * thousand a second, and to start and join a thread costs as much as some requests. They never end, so what a work
 * leaves in variables of its thread the next one finds. Others end with their work, and joining waits for that. All
 * signals are blocked in them: they are the main thread's. A forked child starts its own. */
#pragma once
#include "os/os_impl.h"

#define OS_WORKERS_STAY 4

/* As tf_os_start and tf_worker_join: TF_NO_MEMORY; TF_OVERLOAD where no thread is left. */
enum tf_err os_start_real(struct tf_os *os, void (*fn)(void *), void *arg, struct tf_worker **out, struct tf_fault *f);
void os_join_real(struct tf_worker *worker);
