/* Mutations of a store's file that keep its checks right, so that what lies behind them is reached. */
#ifndef HEARTH_FUZZ_LOG_MUTATOR_H
#define HEARTH_FUZZ_LOG_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

/* Makes every check of the log right, from the front to where no frame can begin. Lengths stay as they are. */
void log_reseal(uint8_t *data, size_t size);

/* libFuzzer's mutation of the payload or the header of one frame, then log_reseal; or of all bytes. The new size. */
size_t log_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
