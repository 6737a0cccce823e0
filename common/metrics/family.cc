#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "common/base/error.h"
#include "common/metrics/metrics.h"
#include "common/metrics/text.h"

namespace slipway::metrics {
namespace {

constexpr char kSeparator = '\x1f';  // between label values in a series' key
constexpr char kOther[] = "other";
constexpr double kDurationBounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                      0.25,   0.5,     1,      2.5,   5,      10,    30,   60,    120,  600};

std::vector<const Family::State*>& All() {
  static std::vector<const Family::State*> all;
  return all;
}

// As the format writes label values and helps.
std::string Escaped(std::string_view text, bool quotes) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

struct Family::State {
  struct Series {
    std::vector<std::string> values;
    double value = 0;              // of a histogram the sum
    std::vector<uint64_t> counts;  // of a histogram: observations at most bounds[i] and above the bound before
    uint64_t count = 0;
  };

  const Type type;
  const char* const name;
  const char* const help;
  const std::vector<const char*> labels;
  mutable std::mutex mutex;
  mutable std::map<std::string, Series, std::less<>> series;

  // mutex held
  Series& Of(Values values) const {
    std::string key;
    for (std::string_view value : values) (key += value) += kSeparator;
    auto found = series.find(key);
    if (found != series.end()) return found->second;
    std::vector<std::string> names(values.begin(), values.end());
    names.resize(labels.size());
    if (series.size() >= kMostSeries) {
      key = kOther;
      names.assign(labels.size(), kOther);
    }
    Series& fresh = series[key];
    if (type == Type::kHistogram) fresh.counts.resize(std::size(kDurationBounds));
    fresh.values = std::move(names);
    return fresh;
  }

  // {method="Submit",le="0.1"}
  std::string Braces(const Series& of, std::string_view bound = "") const {
    std::string text;
    for (size_t i = 0; i < labels.size(); ++i)
      text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", labels[i], Escaped(of.values[i], true));
    if (!bound.empty()) text += fmt::format("{}le=\"{}\"", text.empty() ? "" : ",", bound);
    return text.empty() ? "" : "{" + text + "}";
  }

  void Write(std::string& out) const {
    constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
    std::lock_guard lock(mutex);
    // A counter without labels is there from the start, as 0: a rate needs two values.
    if (labels.empty() && type == Type::kCounter) Of({});
    if (series.empty()) return;
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(help, false), name,
                       kTypes[static_cast<size_t>(type)]);
    for (const auto& [key, one] : series) {
      if (type != Type::kHistogram) {
        out += fmt::format("{}{} {}\n", name, Braces(one), Number(one.value));
        continue;
      }
      uint64_t below = 0;
      for (size_t i = 0; i < one.counts.size(); ++i)
        out += fmt::format("{}_bucket{} {}\n", name, Braces(one, Number(kDurationBounds[i])), below += one.counts[i]);
      out += fmt::format("{}_bucket{} {}\n{}_sum{} {}\n{}_count{} {}\n", name, Braces(one, "+Inf"), one.count, name,
                         Braces(one), Number(one.value), name, Braces(one), one.count);
    }
  }
};

Family::Family(Type type, const char* name, const char* help, Labels labels)
    : state_(new State{type, name, help, labels, {}, {}}) {
  All().push_back(state_.get());
}

Family::~Family() { std::erase(All(), state_.get()); }

void Family::Add(Values values, double by) const {
  std::lock_guard lock(state_->mutex);
  state_->Of(values).value += by;
}

void Family::Set(Values values, double value) const {
  std::lock_guard lock(state_->mutex);
  state_->Of(values).value = value;
}

void Family::Observe(Values values, double value) const {
  std::lock_guard lock(state_->mutex);
  State::Series& series = state_->Of(values);
  const auto* bound = std::lower_bound(std::begin(kDurationBounds), std::end(kDurationBounds), value);
  if (bound != std::end(kDurationBounds)) ++series.counts[bound - std::begin(kDurationBounds)];
  series.value += value;
  ++series.count;
}

void Family::Clear() const {
  std::lock_guard lock(state_->mutex);
  state_->series.clear();
}

std::string ExpositionText() {
  std::string text;
  for (const Family::State* family : All()) family->Write(text);
  return text;
}

}  // namespace slipway::metrics
