#include <time.h>

#include "command.h"

void time_text(char out[TIME_TEXT], uint64_t milliseconds) {
  char text[40];
  time_t seconds = (time_t)(milliseconds / 1000);
  struct tm parts;
  if (milliseconds != 0 && gmtime_r(&seconds, &parts) != NULL &&
      strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) > 0)
    (void)snprintf(out, TIME_TEXT, "%s.%03u UTC", text, (unsigned)(milliseconds % 1000));
  else
    (void)snprintf(out, TIME_TEXT, "never");
}
