// Repository: a GitOps repository whose gitops-promotion.yaml says what is promoted where.
#pragma once

#include <string>

namespace promotiond::gitops {

struct Repository {
    std::string url;
    std::string branch;  // base; empty = the repository's default branch
    std::string type;    // github or azure-devops
    std::string secret;  // its name; as the pull-request strategies read it
    std::string ns;      // of its Pipelines and of the secret
};

}  // namespace promotiond::gitops
