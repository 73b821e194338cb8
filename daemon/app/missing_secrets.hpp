// Which secrets Pipelines name that are not in the directory of secrets. They may come later: what
// needs one waits for it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/pipeline.hpp"

namespace promotiond::app {

// One line for each secret, "file:line:column: which; what to do", with the place of the first
// Pipeline that names it. A secret without any key counts as missing.
[[nodiscard]] std::vector<std::string> missing_secrets(
    const std::vector<std::shared_ptr<const model::Pipeline>>& pipelines,
    const std::filesystem::path& directory);

}  // namespace promotiond::app
