/*
** The entries of a table in an order that depends on its content alone: integer keys by value, other keys by the hash
** of their bytes. They are gathered in E->entries, and what is written of them in E->entry_bytes.
*/
#ifndef HEARTH_CODEC_ENCODE_SORTED_H
#define HEARTH_CODEC_ENCODE_SORTED_H

#include "encoder.h"

/* What the value at `index` is. */
uint64_t encode_identity(const Encoder *E, int index, uint8_t *type);

/*
** Gathers the entries of the table at `t`, of a weak one those that stay, sorted: how many. With `keys`, the index of
** a list, only the keys, whose place in that list is the entry's value.
*/
size_t encode_gather(Encoder *E, int t, int weak, int keys);

/*
** Gathers single entries of a table: begin; then those whose keys and values stand on the top, with what they are in
** E->identities and their place in the order of lua_next for the page; end sorts them: how many.
*/
void encode_gather_begin(Encoder *E);
void encode_gather_entry(Encoder *E, size_t index);
size_t encode_gather_end(Encoder *E);

/* What was gathered last; good until more is. */
Entry *encode_sorted_entries(const Encoder *E);

/* The first and the end of the entries with the keys 1..n. */
void encode_find_sequence(const Entry *entries, size_t count, size_t *first, size_t *last);

/* A record out of sorted entries. */
void encode_entries(Encoder *E, Head *head, const Entry *entries, size_t count);
/* The size of that record's body, without the metatable. */
size_t encode_entries_size(const Entry *entries, size_t count);

/* Pushes a list of the keys of the table at `t`, of a weak one's those that stay, in canonical order. */
void encode_push_sorted_keys(Encoder *E, int t, int weak);

#endif
