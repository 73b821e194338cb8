// Metrics: counters, gauges and histograms in Prometheus' text form.
//
// Names and labels follow Prometheus' conventions: prefix promotiond_, base units, counters end in
// _total. Labels are bounded sets (kind, phase, result), never ids, branches or URLs. A metric is
// found or made by family and labels; the reference stays valid for the registry's life, so hot
// paths look it up once.
//
// Thread-safety: all of it may be used from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/guarded.hpp"

namespace promotiond {

class Counter {
public:
    void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t value() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
public:
    void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
    void add(double by) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
    [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_{0};
};

// Cumulative buckets; bounds are in the family's unit (seconds).
class Histogram {
public:
    explicit Histogram(std::vector<double> bounds);
    void observe(double value) noexcept;
    [[nodiscard]] const std::vector<double>& bounds() const noexcept { return bounds_; }
    [[nodiscard]] std::vector<std::uint64_t> counts()
        const;  // one per bound, then the rest; not cumulative
    [[nodiscard]] double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

private:
    std::vector<double> bounds_;
    std::deque<std::atomic<std::uint64_t>> counts_;
    std::atomic<double> sum_{0};
};

class Metrics {
public:
    using Labels = std::vector<std::pair<std::string, std::string>>;

    [[nodiscard]] Counter& counter(std::string_view family, std::string_view help,
                                   const Labels& labels = {});
    [[nodiscard]] Gauge& gauge(std::string_view family, std::string_view help,
                               const Labels& labels = {});
    [[nodiscard]] Histogram& histogram(std::string_view family, std::string_view help,
                                       std::vector<double> bounds, const Labels& labels = {});

    // Prometheus text exposition format 0.0.4.
    [[nodiscard]] std::string render() const;

private:
    struct Family {
        std::string help;
        std::string type;
        std::map<std::string, std::unique_ptr<Counter>> counters;
        std::map<std::string, std::unique_ptr<Gauge>> gauges;
        std::map<std::string, std::unique_ptr<Histogram>> histograms;
    };
    Family& family(std::map<std::string, Family, std::less<>>& families, std::string_view name,
                   std::string_view help, std::string_view type);

    mutable Guarded<std::map<std::string, Family, std::less<>>> families_;
};

}  // namespace promotiond
