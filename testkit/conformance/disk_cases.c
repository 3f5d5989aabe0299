#include "fixture.h"
const Case disk_cases[] = {{NULL, NULL, NULL, 0}};
