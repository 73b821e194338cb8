/* Makes an instance without a promote. */
#include "zoo.h"

ZOO("null-verbs", NULL);
