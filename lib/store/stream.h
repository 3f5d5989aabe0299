/*
** Large tables whose integer keys lua_next delivers in ascending order, as it does those of Lua's array part: their
** pages are made while the table is walked, with nothing gathered or sorted. Only what differs from the last commit
** is kept until the walk has shown that no key came out of order.
*/
#ifndef HEARTH_STORE_STREAM_H
#define HEARTH_STORE_STREAM_H

#include "committer.h"

/* EncoderOps.stream. */
bool stream_table(Encoder *E, int t, const Begun *begun, Head *head);

#endif
