/* Claims a plugin object that is smaller than 1.0's. */
#include "zoo.h"

const promotiond_plugin promotiond_plugin_v1 = {
    8, 0, ZOO_TEXT("wrong-size"), {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, NULL};
