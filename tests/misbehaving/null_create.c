/* Has no create. */
#include "zoo.h"

ZOO_PLUGIN("null-create", NULL);
