/* What the two parts of lint share; see contract.h and docs/contracts.md. */
#pragma once
#include "serve/contract_impl.h"

struct lint_todo {
	struct lint_todo *next;
	struct schema_spot spot;
	bool schema; /* it is a schema, and no other part of a document */
	const char *lifts;
};

struct lint {
	const struct tf_contract_options *o;
	enum tf_dialect dialect;
	struct tf_str uri;
	const struct tf_json *document;
	struct tf_schemas *set;     /* for following references */
	struct tf_schemas *sets[2]; /* for compiling: nothing lifted or readOnly; a new one after each failure */
	struct tf_checker *checker;
	struct schema_spot root;
	struct tf_map met;   /* nodes that were walked, by address */
	struct tf_map names; /* operationIds, paths: to the node that has it */
	struct lint_todo *todo;
	tf_lint_fn *fn;
	void *ctx;
	enum tf_err err;
	struct tf_fault *fault;
};

void lint_tell(struct lint *l, enum tf_lint_level level, const char *rule, struct schema_spot spot, const char *fmt,
	       ...) TF_PRINTF(5, 6);
/* contract_lint_rules.c: what concerns paths and operations. */
/* Remembers a name of a kind. True: it was there, by *out_before. */
bool lint_had(struct lint *l, const char *kind, struct tf_str name, const struct schema_spot *spot,
	      const struct schema_spot **out_before);
void lint_paths(struct lint *l);
