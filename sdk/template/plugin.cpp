#include "strategy.hpp"

PROMOTIOND_STRATEGY(DeployService, {.name = "deploy-service",
                                    .key = "deployService",
                                    .version = "1.0.0",
                                    .summary = "Asks a deployment service to run the revision"});
