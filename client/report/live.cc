// The live table of a terminal: what has ended scrolls up for good; below it stand the cells at work and a bar, redrawn
// in place in one write a frame, so that nothing flickers.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "client/report/reporter.h"
#include "client/report/text.h"

namespace slipway {
namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr auto kFrame = std::chrono::milliseconds(100);
constexpr size_t kRunningRows = 8;

struct Size {
  size_t columns = 80, rows = 24;
};

Size TerminalSize(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

class LiveReporter final : public Reporter {
 public:
  LiveReporter(std::FILE* out, bool colour)
      : fd_(fileno(out)), colour_(colour), start_(std::chrono::steady_clock::now()) {
    ticker_ = std::jthread([this](std::stop_token stop) { Tick(stop); });
  }
  ~LiveReporter() override {
    ticker_.request_stop();
    ticker_.join();
    Erase();
  }

  void Started(const std::string& request_id, size_t cells) override {
    const std::lock_guard lock(mutex_);
    request_ = request_id;
    cells_ = cells;
    dirty_ = true;
  }

  void Changed(const CellLine& cell) override {
    const std::lock_guard lock(mutex_);
    const std::string title = Title(cell);
    if (cell.state == "running") {
      running_[title] = cell;
    } else {
      running_.erase(title);
    }
    const CellLine told = preparations_.Told(cell);
    if (cell.ended && !cell.target.empty()) {
      ++ended_;
      if (cell.state != "passed") ++short_;
    }
    if (cell.ended && (!cell.target.empty() || cell.state != "passed"))
      above_ += Line(Describe(told), ColourOf(cell.state)) + "\n";
    for (const std::string& warning : cell.warnings) {
      above_ += Line(Warning(cell, warning), "33", /*cut=*/false) + "\n";
    }
    dirty_ = true;
  }

  void Note(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    above_ += line + "\n";
    dirty_ = true;
  }

  void Finished(const RunEnd& end) override {
    const std::lock_guard lock(mutex_);
    std::string text = Clear() + above_;
    above_.clear();
    done_ = true;
    for (const std::string& line : SummaryLines(end, TerminalSize(fd_).columns)) text += line + "\n";
    if (!end.error.empty()) text += Line("slipway: " + end.error, "31", /*cut=*/false) + "\n";
    Write(text);
  }

 private:
  void Tick(std::stop_token stop) {
    std::mutex sleeping;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
      {
        const std::lock_guard lock(mutex_);
        if (!done_) Draw();
      }
      std::unique_lock lock(sleeping);
      wake.wait_for(lock, stop, kFrame, [] { return false; });
    }
  }

  std::string Paint(const std::string& text, std::string_view colour) const {
    return colour_ && !colour.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : text;
  }
  std::string Line(const std::string& text, std::string_view colour, bool cut = true) const {
    return Paint(cut ? CutTo(text, TerminalSize(fd_).columns - 1) : text, colour);
  }

  // Moves to the first drawn line and clears from there.
  std::string Clear() {
    std::string text;
    if (drawn_ > 0) text = fmt::format("\x1b[{}A\r\x1b[J", drawn_);
    drawn_ = 0;
    return text;
  }

  void Draw() {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    if (!dirty_ && seconds - last_ < 0.5) return;  // nothing new but the time
    dirty_ = false;
    last_ = seconds;
    const Size size = TerminalSize(fd_);
    std::vector<std::string> lines;
    const size_t rows = std::min(kRunningRows, size.rows > 4 ? size.rows - 4 : 1);
    for (const auto& [title, cell] : running_) {
      if (lines.size() == rows) break;
      lines.push_back(Line("  " + Describe(cell), ColourOf(cell.state)));
    }
    if (running_.size() > rows) lines.push_back(Line(fmt::format("  … and {} more", running_.size() - rows), ""));
    lines.push_back(Line(Bar(size.columns, seconds), ""));
    std::string text = Clear() + above_;
    above_.clear();
    for (const std::string& line : lines) text += line + "\n";
    drawn_ = lines.size();
    Write(text);
  }

  std::string Bar(size_t columns, double seconds) const {
    if (request_.empty()) return fmt::format("starting  {:.1f} s", seconds);
    const size_t width = columns >= 60 ? 24 : 10;
    const size_t full = cells_ == 0 ? width : ended_ * width / cells_;
    std::string bar = "[" + std::string(full, '=') + std::string(width - full, ' ') + "]";
    return fmt::format("{} {}/{} cells{}  {:.1f} s", bar, ended_, cells_,
                       short_ > 0 ? fmt::format(", {} short", short_) : "", seconds);
  }

  void Erase() {
    const std::lock_guard lock(mutex_);
    Write(Clear() + above_);
    above_.clear();
  }

  void Write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = write(fd_, text.data(), text.size());
      if (n <= 0) return;
      text.remove_prefix(static_cast<size_t>(n));
    }
  }

  const int fd_;
  const bool colour_;
  const Instant start_;
  std::mutex mutex_;
  std::string request_, above_;
  std::map<std::string, CellLine> running_;
  Preparations preparations_;
  size_t cells_ = 0, ended_ = 0, short_ = 0, drawn_ = 0;
  double last_ = -1;
  bool dirty_ = true, done_ = false;
  std::jthread ticker_;
};

}  // namespace

std::unique_ptr<Reporter> MakeLiveReporter(std::FILE* out, bool colour) {
  return std::make_unique<LiveReporter>(out, colour);
}

}  // namespace slipway
