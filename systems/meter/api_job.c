/* Jobs: one at a time beside the loop, with the writer's catalog to themselves; see api.h. */
#include "api.h"

static void
work(void *arg)
{
	struct meter_api *a = arg;
	struct meter_api_job *job = a->jobs;
	pthread_mutex_lock(&a->catalog);
	job->err = job->work(a, job, &job->fault);
	pthread_mutex_unlock(&a->catalog);
	atomic_store(&a->worked, true);
	tf_server_wake(a->server);
}

static void
start(struct meter_api *a)
{
	struct meter_api_job *job = a->jobs;
	if (a->worker || !job)
		return;
	job->err = TF_OK;
	job->fault = (struct tf_fault){0};
	atomic_store(&a->worked, false);
	if (tf_os_start(a->os, work, a, &a->worker, &job->fault)) {
		job->err = job->fault.code;
		atomic_store(&a->worked, true);
	}
}

static void
append(struct meter_api *a, struct meter_api_job *job)
{
	job->next = NULL;
	if (a->jobs)
		a->jobs_last->next = job;
	else
		a->jobs = job;
	a->jobs_last = job;
	a->job_count++;
	start(a);
}

enum tf_err
meter_api_job(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	if (a->broken.code)
		return tf_fault(f, a->broken.code, "%s", a->broken.text);
	if (a->job_count >= METER_API_JOBS_MAX)
		return tf_fault(f, TF_OVERLOAD, "%d jobs wait", METER_API_JOBS_MAX);
	append(a, job);
	return TF_OK;
}

void
meter_api_job_again(struct meter_api *a, struct meter_api_job *job)
{
	append(a, job);
}

static struct meter_api_job *
take(struct meter_api *a)
{
	struct meter_api_job *job = a->jobs;
	a->jobs = job->next;
	if (!a->jobs)
		a->jobs_last = NULL;
	a->job_count--;
	return job;
}

void
meter_api_jobs(struct meter_api *a)
{
	while (a->jobs && atomic_load(&a->worked)) {
		tf_worker_join(&a->worker);
		struct meter_api_job *job = take(a);
		atomic_store(&a->worked, false);
		if (job->done(a, job))
			job->free(job);
		start(a);
	}
}

void
meter_api_jobs_fail(struct meter_api *a, const struct tf_fault *why)
{
	tf_worker_join(&a->worker);
	while (a->jobs) {
		struct meter_api_job *job = take(a);
		if (job->x)
			tf_reply_fault(job->x, why, NULL);
		job->free(job);
	}
}

void
meter_api_jobs_drop(struct meter_api *a)
{
	tf_worker_join(&a->worker);
	while (a->jobs) {
		struct meter_api_job *job = take(a);
		job->free(job);
	}
}
