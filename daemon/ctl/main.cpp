// promotionctl: the person's end of promotiond's HTTP API.
#include <cstdlib>
#include <iostream>

#include "ctl/ctl.hpp"

int main(int count, char** words) {
    const auto variable = [](const char* name) -> std::optional<std::string> {
        const char* value = std::getenv(name);
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    try {
        return promotiond::ctl::run({words + (count > 0 ? 1 : 0), words + count},
                                    {std::cout, std::cerr, variable});
    } catch (const std::exception& problem) {
        std::cerr << "promotionctl: " << problem.what() << "\n";
        return promotiond::ctl::kFailed;
    }
}
