// promotiond: block the signals, read the command line, run.
#include <Poco/Exception.h>

#include <exception>
#include <iostream>

#include "app/application.hpp"

int main(int count, char** words) {
    using promotiond::app::Application;
    Application::block_signals();
    if (const auto reason = Application::refused(count, words)) {
        std::cerr << "promotiond: " << *reason << "\n";
        return promotiond::app::kExitUsage;
    }
    Application application;
    try {
        application.init(count, words);
    } catch (const Poco::Exception& problem) {
        std::cerr << "promotiond: " << problem.displayText() << "; see promotiond --help\n";
        return promotiond::app::kExitUsage;
    }
    try {
        return static_cast<Poco::Util::Application&>(application).run();
    } catch (const std::exception& problem) {
        std::cerr << "promotiond: " << problem.what() << "\n";
        return promotiond::app::kExitSoftware;
    }
}
