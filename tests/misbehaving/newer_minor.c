/* Needs a band that no host of today has. */
#include "zoo.h"

const promotiond_plugin promotiond_plugin_v1 = {sizeof(promotiond_plugin),
                                                9999,
                                                ZOO_TEXT("newer-minor"),
                                                ZOO_TEXT("newerMinor"),
                                                {0, 0},
                                                {0, 0},
                                                {0, 0},
                                                {0, 0},
                                                {0, 0},
                                                NULL};
