/* Its schema is not JSON. */
#include "zoo.h"

const promotiond_plugin promotiond_plugin_v1 = {
    sizeof(promotiond_plugin),
    0,
    ZOO_TEXT("bad-schema"),
    ZOO_TEXT("badSchema"),
    {0, 0},
    {0, 0},
    {0, 0},
    {0, 0},
    ZOO_TEXT("{\"type\":"),
    (promotiond_outcome(*)(const promotiond_host*, const promotiond_call*, promotiond_view,
                           promotiond_strategy**))1};
