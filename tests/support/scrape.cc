#include "tests/support/scrape.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <regex>
#include <sstream>
#include <stdexcept>

namespace slipway {
namespace {

std::string Get(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    close(fd);
    throw std::runtime_error("cannot connect to " + address);
  }
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  std::string answer;
  char buffer[4096];
  if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
    for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) answer.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return answer;
}

}  // namespace

double Scrape::operator[](const std::string& series) const {
  const auto found = samples.find(series);
  return found == samples.end() ? 0 : found->second;
}

double Scrape::Sum(const std::string& name, const std::string& part) const {
  double sum = 0;
  for (const auto& [series, value] : samples) {
    if (series.substr(0, series.find('{')) == name && series.find(part) != std::string::npos) sum += value;
  }
  return sum;
}

Scrape ScrapeMetrics(const std::string& address, const std::string& path) {
  static const std::regex comment(R"(# (HELP|TYPE) ([a-z_]+) (.+))");
  static const std::regex sample(
      R"re(([a-z_]+(?:\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})?) (\S+))re");
  Scrape scrape;
  const std::string answer = Get(address, path);
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) throw std::runtime_error("no HTTP answer: " + answer);
  scrape.status = std::stoi(answer.substr(answer.find(' ') + 1));
  scrape.body = answer.substr(head + 4);
  if (scrape.status != 200) return scrape;
  std::istringstream lines(scrape.body);
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (std::regex_match(line, parts, comment)) {
      if (parts[1] == "TYPE") scrape.types[parts[2]] = parts[3];
    } else if (std::regex_match(line, parts, sample)) {
      if (!scrape.samples.emplace(parts[1], std::stod(parts[2])).second)
        throw std::runtime_error("twice in one scrape: " + line);
    } else {
      throw std::runtime_error("not the exposition format: " + line);
    }
  }
  return scrape;
}

}  // namespace slipway
