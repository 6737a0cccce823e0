// A daemon's metrics as Prometheus would read them.
#pragma once

#include <map>
#include <string>

namespace slipway {

struct Scrape {
  int status = 0;  // of HTTP
  std::string body;
  std::map<std::string, double> samples;  // by series as it stands there: name{label="value",…}
  std::map<std::string, std::string> types;

  // 0 for a series that is not there.
  double operator[](const std::string& series) const;
  // Sum of all series of a name whose labels contain `part`.
  double Sum(const std::string& name, const std::string& part = "") const;
};

// GET http://ADDRESS/PATH. Throws where the text is not the exposition format 0.0.4.
Scrape ScrapeMetrics(const std::string& address, const std::string& path = "/metrics");

}  // namespace slipway
