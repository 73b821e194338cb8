// The pins as C++ sees them.
#include "pins.h"
