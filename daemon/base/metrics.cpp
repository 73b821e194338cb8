#include "base/metrics.hpp"

#include <algorithm>
#include <charconv>

namespace promotiond {
namespace {

std::string number(double value) {
    char text[32];
    const auto [end, error] = std::to_chars(text, text + sizeof text, value);
    return error == std::errc{} ? std::string(text, end) : std::string("NaN");
}

// `{a="1",b="2"}`, or nothing without labels; the text is also the key under which a series is
// kept.
std::string rendered(const Metrics::Labels& labels) {
    if (labels.empty()) return {};
    std::string text = "{";
    for (const auto& [name, value] : labels) {
        if (text.size() > 1) text += ',';
        text += name + "=\"";
        for (const char c : value) {
            if (c == '\\' || c == '"') text += '\\';
            if (c == '\n') text += "\\n";
            else text += c;
        }
        text += '"';
    }
    return text + "}";
}

std::string with_bound(const std::string& labels, const std::string& bound) {
    const std::string le = "le=\"" + bound + "\"";
    return labels.empty() ? "{" + le + "}" : labels.substr(0, labels.size() - 1) + "," + le + "}";
}

void render_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const Histogram& series) {
    const auto counts = series.counts();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        total += counts[i];
        const std::string bound = i < series.bounds().size() ? number(series.bounds()[i]) : "+Inf";
        out += name + "_bucket" + with_bound(labels, bound) + " " + std::to_string(total) + "\n";
    }
    out += name + "_sum" + labels + " " + number(series.sum()) + "\n";
    out += name + "_count" + labels + " " + std::to_string(total) + "\n";
}

template <class Series, class... Arguments>
Series& found_or_made(std::map<std::string, std::unique_ptr<Series>>& all, std::string key,
                      Arguments&&... arguments) {
    auto& slot = all[std::move(key)];
    if (!slot) slot = std::make_unique<Series>(std::forward<Arguments>(arguments)...);
    return *slot;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) noexcept {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    counts_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
    std::vector<std::uint64_t> values;
    values.reserve(counts_.size());
    for (const auto& count : counts_) values.push_back(count.load(std::memory_order_relaxed));
    return values;
}

Metrics::Family& Metrics::family(std::map<std::string, Family, std::less<>>& families,
                                 std::string_view name, std::string_view help,
                                 std::string_view type) {
    const auto found = families.find(name);
    if (found != families.end()) return found->second;
    Family made;
    made.help = help;
    made.type = type;
    return families.emplace(std::string(name), std::move(made)).first->second;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
    auto families = families_.access();
    return found_or_made(family(*families, name, help, "counter").counters, rendered(labels));
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    auto families = families_.access();
    return found_or_made(family(*families, name, help, "gauge").gauges, rendered(labels));
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::vector<double> bounds, const Labels& labels) {
    auto families = families_.access();
    return found_or_made(family(*families, name, help, "histogram").histograms, rendered(labels),
                         std::move(bounds));
}

std::string Metrics::render() const {
    std::string out;
    auto families = families_.access();
    for (const auto& [name, family] : *families) {
        out += "# HELP " + name + " " + family.help + "\n# TYPE " + name + " " + family.type + "\n";
        for (const auto& [labels, series] : family.counters) {
            out += name + labels + " " + std::to_string(series->value()) + "\n";
        }
        for (const auto& [labels, series] : family.gauges)
            out += name + labels + " " + number(series->value()) + "\n";
        for (const auto& [labels, series] : family.histograms)
            render_histogram(out, name, labels, *series);
    }
    return out;
}

}  // namespace promotiond
