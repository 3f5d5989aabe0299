/* What of a URI may be shown. */
#ifndef HEARTH_TOOL_COPY_URI_H
#define HEARTH_TOOL_COPY_URI_H

/*
** Takes passwords out of what may hold URIs, in its place: "//user:password@" and "password=...". A URI ends at one of
** the characters in `ends` ("": at the end of the text).
*/
void hide_passwords(char *text, const char *ends);

#endif
