// The library alone: what is counted, and how it is told.
#include "common/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/base/error.h"
#include "tests/support/scrape.h"

namespace slipway::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

const Counter kEggs("test_eggs_total", "Eggs laid.");
const Counter kBirds("test_birds_total", "Birds seen, by kind.", {"kind", "place"});
const Gauge kWeight("test_weight_grams", "Of the nest.", {"side"});
const Histogram kFlight("test_flight_seconds", "Of flights.", {"kind"});

class MetricsTest : public testing::Test {
 protected:
  MetricsTest() : server_(Server::Start("127.0.0.1:0", "1.2.3").value()) {}
  Scrape Now() const { return ScrapeMetrics(server_->address()); }
  std::unique_ptr<Server> server_;
};

TEST_F(MetricsTest, CountersGaugesAndHistogramsAsPrometheusReadsThem) {
  const double before = Now()["test_eggs_total"];
  kEggs.Add();
  kEggs.Add({}, 2.5);
  kBirds.Add({"wren \"Jenny\"\n", "barn"});
  kWeight.Set({"left"}, 40);
  kWeight.Add({"left"}, 2);
  kFlight.Observe({"finch"}, absl::Milliseconds(3));
  kFlight.Observe({"finch"}, absl::Seconds(700));
  const Scrape scrape = Now();
  EXPECT_EQ(scrape.status, 200);
  EXPECT_EQ(scrape["test_eggs_total"] - before, 3.5);
  EXPECT_EQ(scrape[R"(test_birds_total{kind="wren \"Jenny\"\n",place="barn"})"], 1);
  EXPECT_EQ(scrape[R"(test_weight_grams{side="left"})"], 42);
  EXPECT_EQ(scrape[R"(test_flight_seconds_bucket{kind="finch",le="0.0025"})"], 0);
  EXPECT_EQ(scrape[R"(test_flight_seconds_bucket{kind="finch",le="0.005"})"], 1);
  EXPECT_EQ(scrape[R"(test_flight_seconds_bucket{kind="finch",le="600"})"], 1);
  EXPECT_EQ(scrape[R"(test_flight_seconds_bucket{kind="finch",le="+Inf"})"], 2);
  EXPECT_EQ(scrape[R"(test_flight_seconds_count{kind="finch"})"], 2);
  EXPECT_NEAR(scrape[R"(test_flight_seconds_sum{kind="finch"})"], 700.003, 1e-6);
  EXPECT_EQ(scrape.types.at("test_eggs_total"), "counter");
  EXPECT_EQ(scrape.types.at("test_weight_grams"), "gauge");
  EXPECT_EQ(scrape.types.at("test_flight_seconds"), "histogram");
  EXPECT_EQ(scrape[R"(slipway_build_info{version="1.2.3"})"], 1);
  EXPECT_GT(scrape["process_resident_memory_bytes"], 1e6);

  kWeight.Clear();
  EXPECT_THAT(Now().body, Not(HasSubstr("side=\"left\"")));
}

// A label that somebody else chooses must not fill the memory.
TEST_F(MetricsTest, SeriesOfAFamilyAreBounded) {
  for (int i = 0; i < 1000; ++i) kBirds.Add({std::to_string(i), "sky"});
  const Scrape scrape = Now();
  size_t series = 0;
  for (const auto& [name, value] : scrape.samples) series += name.starts_with("test_birds_total");
  EXPECT_EQ(series, Family::kMostSeries + 1);
  EXPECT_EQ(scrape.Sum("test_birds_total", "place=\"sky\"") + scrape[R"(test_birds_total{kind="other",place="other"})"],
            1000);
}

TEST_F(MetricsTest, GaugesAreRefreshedBeforeEachScrape) {
  int looks = 0;
  server_->OnScrape([&looks] { kWeight.Set({"right"}, ++looks); });
  EXPECT_EQ(Now()[R"(test_weight_grams{side="right"})"], 1);
  EXPECT_EQ(Now()[R"(test_weight_grams{side="right"})"], 2);
}

TEST_F(MetricsTest, ThreadsCountTogether) {
  const double before = Now()["test_eggs_total"];
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 10'000; ++n) kEggs.Add();
    });
  }
  threads.clear();
  EXPECT_EQ(Now()["test_eggs_total"] - before, 40'000);
}

TEST_F(MetricsTest, ServesNothingElse) {
  for (const char* path : {"/", "/etc/passwd", "/../../../../etc/passwd", "/metricsx"})
    EXPECT_EQ(ScrapeMetrics(server_->address(), path).status, 404) << path;
}

TEST_F(MetricsTest, NothingIsCountedWithoutAServer) {
  const double before = Now()["test_eggs_total"];
  server_.reset();
  kEggs.Add();
  EXPECT_FALSE(Enabled());
  server_ = Server::Start("localhost:0", "1.2.3").value();
  EXPECT_EQ(Now()["test_eggs_total"], before);
}

TEST_F(MetricsTest, SaysWhatIsWrongWithAnAddress) {
  for (const char* bad : {"", "9464", ":9464", "example.com:9464", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:9r",
                          "[::1:9", "127.0.0.1:1,127.0.0.1:2"}) {
    const auto server = Server::Start(bad, "");
    ASSERT_FALSE(server.ok()) << bad;
    EXPECT_EQ(KindOf(server.status()), ErrorKind::kUsage) << bad;
    EXPECT_THAT(Message(server.status()), HasSubstr("127.0.0.1:9464")) << bad;
  }
  const auto taken = Server::Start(server_->address(), "");
  EXPECT_TRUE(absl::IsUnavailable(taken.status())) << taken.status();
  EXPECT_THAT(Message(taken.status()), HasSubstr("in use"));
}

}  // namespace
}  // namespace slipway::metrics
