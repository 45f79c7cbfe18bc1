/* Form bodies, and OAuth errors; see issuer.h. */
#include "issuer.h"

#define ARENA_BYTES (4 * ISSUER_FORM_BYTES)

static int
hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

enum tf_err
issuer_decode(struct tf_str text, struct tf_arena *arena, struct tf_str *out)
{
	char *p = tf_arena_alloc(arena, text.n + 1);
	size_t n = 0;
	if (!p)
		return TF_NO_MEMORY;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '%') {
			int high = i + 2 < text.n ? hex(text.p[i + 1]) : -1;
			int low = high >= 0 ? hex(text.p[i + 2]) : -1;
			if (low < 0 || (high == 0 && low == 0))
				return TF_INVALID;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		p[n++] = c;
	}
	p[n] = '\0';
	*out = tf_str_n(p, n);
	return TF_OK;
}

static enum tf_err
add_field(struct issuer_form *form, struct tf_str pair, struct tf_fault *f)
{
	struct issuer_field *field = &form->fields[form->count];
	struct tf_str name;
	if (form->count == ISSUER_FIELDS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "too many fields");
	if (!tf_str_cut(&pair, '=', &name))
		return tf_fault(f, TF_INVALID, "a field is empty");
	if (issuer_decode(name, &form->arena, &field->name) || issuer_decode(pair, &form->arena, &field->value))
		return tf_fault(f, TF_INVALID, "a field is not form-encoded");
	for (size_t i = 0; i < form->count; i++)
		if (tf_str_eq(form->fields[i].name, field->name))
			return tf_fault(f, TF_INVALID, "a field is there twice");
	form->count++;
	return TF_OK;
}

enum tf_err
issuer_form_read(struct tf_str text, struct issuer_form *out, struct tf_fault *f)
{
	struct tf_str pair;
	enum tf_err e = text.n > ISSUER_FORM_BYTES ? tf_fault(f, TF_TOO_LARGE, "the form is too large") : TF_OK;
	out->count = 0;
	tf_arena_init(&out->arena, "form", ARENA_BYTES);
	while (!e && tf_str_cut(&text, '&', &pair))
		e = add_field(out, pair, f);
	return e;
}

void
issuer_form_release(struct issuer_form *form)
{
	tf_arena_release(&form->arena);
}

struct tf_str
issuer_field(const struct issuer_form *form, const char *name)
{
	for (size_t i = 0; i < form->count; i++)
		if (tf_str_eq(form->fields[i].name, tf_str(name)))
			return form->fields[i].value;
	return (struct tf_str){0};
}

void
issuer_refuse(struct issuer_answer *a, int status, const char *error, const char *why)
{
	tf_buf_reset(&a->body);
	struct tf_json_out w = tf_json_out(&a->body);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "error", error);
	tf_json_set_cstr(&w, "error_description", why);
	tf_json_end_object(&w);
	a->status = status;
	a->challenge = status == 401 ? "Basic realm=\"tenfold-identity\"" : NULL;
}

bool
issuer_has_seen(const struct issuer_seen *table, size_t size, const uint8_t digest[static 32], tf_time now)
{
	for (size_t i = 0; i < size; i++)
		if (table[i].until > now && memcmp(table[i].digest, digest, 32) == 0)
			return true;
	return false;
}

bool
issuer_see(struct issuer_seen *table, size_t size, const uint8_t digest[static 32], tf_time now, tf_time until)
{
	struct issuer_seen *place = NULL;
	if (issuer_has_seen(table, size, digest, now))
		return false;
	for (size_t i = 0; i < size && !place; i++)
		if (table[i].until <= now)
			place = &table[i];
	if (!place)
		return false;
	memcpy(place->digest, digest, 32);
	place->until = until;
	return true;
}
