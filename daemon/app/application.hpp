// Application: promotiond as a Poco ServerApplication - command line, signals, exit codes.
//
// Poco's own --daemon, --pidfile and --umask are not offered: they fork before the configuration is
// read, keep no lock, and are the service manager's business.
#pragma once

#include <Poco/Util/OptionSet.h>
#include <Poco/Util/ServerApplication.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace promotiond::app {

// Exit codes, as in sysexits.h.
inline constexpr int kExitUsage = 64;
inline constexpr int kExitUnavailable = 69;
inline constexpr int kExitSoftware = 70;
inline constexpr int kExitLeaseLost = 75;  // begin anew: another replica leads
inline constexpr int kExitConfiguration = 78;

class Application final : public Poco::Util::ServerApplication {
public:
    // Words that must be refused before Poco sees them, with the reason; none = go on.
    [[nodiscard]] static std::optional<std::string> refused(int count, char** words);
    // Blocks the signals that run() waits for, so that no thread started later takes them. First
    // thing in main().
    static void block_signals();

protected:
    void defineOptions(Poco::Util::OptionSet& options) override;
    int main(const std::vector<std::string>& arguments) override;

private:
    enum class Task { Serve, Check, CheckConfig, ListStrategies, Version, Help };

    void take(const std::string& name, const std::string& value);
    int help() const;
    int check() const;
    int list_strategies() const;
    int serve() const;

    Task task_ = Task::Serve;
    std::filesystem::path config_ = "/etc/promotiond/promotiond.yaml";
};

}  // namespace promotiond::app
