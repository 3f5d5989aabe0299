#include "fixture.h"
const Case kit_disk_cases[] = {{NULL, NULL, NULL, 0}};
