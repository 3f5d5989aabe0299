#include <stdio.h>

#include <lauxlib.h>

/* @sample@ */
int main(void) {
  return import(NULL, NULL, NULL);
}
