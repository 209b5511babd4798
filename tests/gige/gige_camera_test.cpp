// Aravis' simulated camera on loopback, over the whole GigE Vision protocol: its packets are put together in the
// claimed slot itself, and what is published is that memory.
#include "apps/gige/gige_camera.hpp"

#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/wait.hpp"
#include "tensorpool/inflight_queue.hpp"

namespace tensorpool::apps {
namespace {

class GigeCameraTest : public detail::StreamBench {
 protected:
  GigeCameraTest() : StreamBench({.nslots = 16, .pools = {{1, 1 << 20}}}) {
    simulated_.reset(arv_gv_fake_camera_new("127.0.0.1", "TPTEST"));
    attach();
  }
  // Queues as many buffers as may be claimed.
  void top_up(GigeCamera& camera) {
    while (inflight_.size() < producer->max_claims()) {
      auto claim = producer->claim(camera.payload_bytes());
      if (!claim) return;
      const auto memory = claim->payload().first(camera.payload_bytes());
      ASSERT_TRUE(inflight_.push(next_tag_, std::move(*claim)));
      camera.queue(memory, next_tag_++);
    }
  }
  // Publishes `frames` images; each lies in its slot.
  void publish_images(GigeCamera& camera, std::uint64_t frames) {
    const std::uint64_t wanted = producer->stats().published + frames;
    ASSERT_TRUE(camera.open_stream());
    top_up(camera);
    ASSERT_TRUE(camera.start());
    EXPECT_TRUE(eventually([&] {
      if (const auto buffer = camera.pop(10 * nanos_per_milli)) complete(buffer.get());
      top_up(camera);
      return producer->stats().published >= wanted;
    }));
    camera.close_stream();  // before the claims go
    inflight_.clear();
  }
  void complete(ArvBuffer* buffer) {
    auto claim = inflight_.take(tag_of(buffer));
    ASSERT_TRUE(claim);
    if (!is_whole(buffer)) {
      ++incomplete_;
      return;
    }
    ASSERT_EQ(memory_of(buffer), claim->payload().data());
    const auto index = static_cast<std::uint32_t>(claim->seq() % producer->slots());
    ASSERT_EQ(memory_of(buffer), producer->slot_address(claim->pool_id(), index).data());
    const CameraImage image = image_in(buffer);
    formats_.push_back(image.format.value_or(ImageFormat{}));
    ASSERT_TRUE(is_committed(std::move(*claim).commit(image.layout, image.bytes, {})));
    consumer->poll([&](const Frame& frame) { shapes_.push_back(frame.layout().describe()); });
  }
  // The camera sends another format from the next stream on, whether its GenICam description has it or not.
  void set_pixel_format(PixelFormatCode code) {
    const auto fill_nothing = [](ArvBuffer*, void*, guint32, guint32, ArvPixelFormat) {};  // Aravis' knows few formats
    arv_fake_camera_set_fill_pattern(arv_gv_fake_camera_get_fake_camera(simulated_.get()), fill_nothing, nullptr);
    arv_fake_camera_write_register(arv_gv_fake_camera_get_fake_camera(simulated_.get()),
                                   ARV_FAKE_CAMERA_REGISTER_PIXEL_FORMAT, code);
  }
  [[nodiscard]] bool saw(const std::string& shape) const {
    return std::find(shapes_.begin(), shapes_.end(), shape) != shapes_.end();
  }

  GObjectHandle<ArvGvFakeCamera> simulated_;
  InflightQueue inflight_{16};
  std::uint64_t next_tag_ = 1;
  std::uint64_t incomplete_ = 0;
  std::vector<std::string> shapes_;
  std::vector<ImageFormat> formats_;
};

TEST_F(GigeCameraTest, FillsTheSlotsThemselvesAlsoAfterItsRegionChanged) {
  auto camera = GigeCamera::open({.rate_hz = 50, .width = 320, .height = 240});
  ASSERT_TRUE(camera) << camera.error().message;
  publish_images(*camera, 10);
  EXPECT_TRUE(saw("uint8[240x320]"));
  ASSERT_TRUE(camera->set_region(640, 100));
  publish_images(*camera, 10);  // in the same epoch
  EXPECT_TRUE(saw("uint8[100x640]"));
  const ProducerStats wrote = producer->stats();
  EXPECT_EQ(wrote.published + wrote.abandoned, wrote.next_seq);
  EXPECT_GE(wrote.abandoned, incomplete_);
  EXPECT_EQ(consumer->stats().remaps, 0U);
}

TEST_F(GigeCameraTest, SendsEachPixelFormatAsTheTensorThatItIs) {
  auto camera = GigeCamera::open({.rate_hz = 100, .width = 64, .height = 40});
  ASSERT_TRUE(camera) << camera.error().message;
  for (const auto& [code, name, shape] :
       {std::tuple{0x0110000DU, "BayerRG10", "uint16[40x64]"}, std::tuple{0x01100011U, "BayerRG12", "uint16[40x64]"},
        std::tuple{0x0110002FU, "BayerRG16", "uint16[40x64]"}, std::tuple{0x02200016U, "RGBa8", "uint8[40x64x4]"},
        std::tuple{0x010C0047U, "Mono12p", "bytes[40x96]"}, std::tuple{0x02180014U, "RGB8", "uint8[40x64x3]"}}) {
    set_pixel_format(code);
    ASSERT_TRUE(camera->refresh());
    formats_.clear();
    publish_images(*camera, 3);
    EXPECT_TRUE(saw(shape)) << shape;
    ASSERT_FALSE(formats_.empty());
    EXPECT_EQ(formats_.back().code, code);
    EXPECT_EQ(formats_.back().width, 64);
    EXPECT_EQ(formats_.back().height, 40);
    EXPECT_EQ(camera->name_of(code), name);
  }
  EXPECT_EQ(camera->name_of(0x81100099U), "0x81100099");
}

}  // namespace
}  // namespace tensorpool::apps
