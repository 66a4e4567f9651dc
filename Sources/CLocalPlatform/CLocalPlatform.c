#include "CLocalPlatform.h"
