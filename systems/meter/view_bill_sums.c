/* Sealed time-of-use sums in the catalog: table agg_tou; see view_bill.h. */
#include "view_bill.h"

enum tf_err
meter_sums_put(struct meter_catalog *c, int32_t month, uint32_t bucket, struct tf_str sums, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->db, "INSERT OR REPLACE INTO agg_tou VALUES(?,?,?)", &q, f));
	tf_stmt_i64(q, 1, month);
	tf_stmt_i64(q, 2, bucket);
	tf_stmt_blob(q, 3, sums);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_sums_drop(struct meter_catalog *c, int32_t month, uint32_t bucket, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->db, "DELETE FROM agg_tou WHERE month=? AND bucket=?", &q, f));
	tf_stmt_i64(q, 1, month);
	tf_stmt_i64(q, 2, bucket);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}
