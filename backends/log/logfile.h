/*
** A log as a file of an environment: judging its header, and writing a new one
** that holds a single batch.
*/
#ifndef HEARTH_LOG_LOGFILE_H
#define HEARTH_LOG_LOGFILE_H

#include "hearth_environment.h"
#include "scan.h"
#include "writer.h"

/* NOTSTORE, DAMAGED or VERSION unless the header is good for reading, or with `writable` for writing. */
hearth_status logfile_judge_header(const char *path, const LogHeader *h, LogHeaderState state, bool writable,
                                   hearth_error *err);

/* The status of a step that is IO or NOMEM. */
hearth_status logfile_step_status(const char *path, const LogScan *scan, LogStep step, hearth_error *err);

/* An open file as a source. It must stay where it is while the source is used. */
typedef struct LogInput {
  const hearth_environment *env;
  hearth_file file;
} LogInput;

LogSource logfile_source(LogInput *input, uint64_t length);

/* Opens a file for reading: its source. NOTFOUND, NOTSTORE (a folder), IO. Close input->file afterwards. */
hearth_status logfile_open(LogInput *input, const hearth_environment *env, const char *path, LogSource *source,
                           hearth_error *err);

/*
** Makes a file, which must not exist, for writing. Who may not open `model` may not open it, before there is a byte in
** it; model NULL: it is as the system makes files. Answers 0 or an errno value.
*/
int logfile_make(const hearth_environment *env, const char *path, const hearth_file *model, hearth_file *out);

typedef struct LogOutput {
  const hearth_environment *env;
  const char *path; /* borrowed */
  hearth_file file;
  LogWriter writer;
} LogOutput;

/*
** Makes the file, which must not exist (EXISTS), and writes its header. h->synced is the number of its one batch.
** `model` as for logfile_make.
*/
hearth_status logfile_create(LogOutput *out, const hearth_environment *env, const hearth_allocator *allocator,
                             const char *path, const hearth_file *model, LogHeader *h, hearth_error *err);

/* Adds an operation. FULL, IO, NOMEM. */
hearth_status logfile_op(LogOutput *out, LogOp *op, hearth_error *err);

/* Ends the batch, flushes it to the device and closes the file. When that fails the file is removed. */
hearth_status logfile_finish(LogOutput *out, hearth_error *err);

/* Removes the file that was begun, after logfile_op failed or for another reason to give up. */
void logfile_abandon(LogOutput *out);

#endif
