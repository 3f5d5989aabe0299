/* Figures of the postgres backend: what the parts of the program share. */
#ifndef HEARTH_BENCH_POSTGRES_H
#define HEARTH_BENCH_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>

#include "hearth_postgres.h"
#include "server.h"

typedef struct Bench {
  Server server;
  bool check; /* few samples: that it works, and no figures */
} Bench;

double bench_now(void); /* seconds */
double bench_median(double *values, size_t count);
void bench_quit(const char *what, const char *why);

/* A commit of 1,000 external entries beside the upsert of the same rows by libpq alone. */
void bench_commit(Bench *b);

/* Commits per second of many stores at once: each in a thread of one process, or in a process of its own. */
void bench_parallel(Bench *b);

/* A large table: filled, scanned, read at random. */
void bench_large(Bench *b);

#endif
