// `tp publish camera` with Aravis' simulated camera, a driver and a media driver: what its frames and its metadata say.
#include <fmt/format.h>

#include <csignal>
#include <map>

#include "apps/gige/aravis_handle.hpp"
#include "apps/gige/pixel_format.hpp"
#include "support/rig.hpp"

namespace tensorpool::apps {
namespace {

class PublishCamera : public RigTest {
 protected:
  PublishCamera() {
    simulated_.reset(arv_gv_fake_camera_new("127.0.0.1", "TPPUBLISH"));
    arv_fake_camera_set_fill_pattern(
        camera(), [](ArvBuffer*, void*, guint32, guint32, ArvPixelFormat) {}, nullptr);
    rig({.nslots = 32, .pools = {{1, 65536}}}).start();
  }
  [[nodiscard]] ArvFakeCamera* camera() const { return arv_gv_fake_camera_get_fake_camera(simulated_.get()); }
  void set(guint32 address, guint32 value) const { arv_fake_camera_write_register(camera(), address, value); }
  [[nodiscard]] std::vector<std::string> publish(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        TP_BINARY, "publish", "camera", "--config", rig().config_path(), "--stream", std::to_string(Rig::stream),
        "--rate",  "50",      "--size", "64x40"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  GObjectHandle<ArvGvFakeCamera> simulated_;
};

std::string text_of(const StreamMetadata& metadata, std::string_view key) {
  const Attribute* const attribute = metadata.find(key);
  return attribute == nullptr ? "none" : std::string(attribute->text());
}

// The camera is changed while it runs. The simulated one sends no larger images than it started with.
TEST_F(PublishCamera, TellsThePixelFormatOfEachFrameByItsMetaVersion) {
  Client client = rig().connect("consumer");
  std::mutex mutex;
  std::map<std::uint32_t, StreamMetadata> versions;
  auto reader = client.metadata({.stream_ids = {Rig::stream}, .on_change = [&](const StreamMetadata& metadata) {
                                   const std::lock_guard lock(mutex);
                                   versions[metadata.version] = metadata;
                                 }});
  ASSERT_TRUE(reader) << reader.error().message;
  auto consumer = client.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(consumer) << consumer.error().message;
  Child tp(publish({"--attribute", "gain=2"}));
  struct Format {
    std::uint32_t code;
    const char* name;
  };
  for (const Format& format : {Format{0x01080001, "Mono8"}, Format{0x0108000A, "BayerGB8"}}) {
    set(ARV_FAKE_CAMERA_REGISTER_PIXEL_FORMAT, format.code);
    std::uint32_t version = 0;
    const bool came = eventually([&] {
      consumer->poll([&](const Frame& frame) {
        if (frame.layout().describe() == "uint8[40x64]") version = frame.meta_version();
      });
      const std::lock_guard lock(mutex);
      return versions.contains(version) && text_of(versions[version], "pixel_format") == format.name;
    });
    const std::lock_guard lock(mutex);
    ASSERT_TRUE(came) << format.name << ": " << tp.output();
    const StreamMetadata& told = versions[version];
    EXPECT_EQ(text_of(told, "width"), "64");
    EXPECT_EQ(text_of(told, "height"), "40");
    EXPECT_EQ(text_of(told, "gain"), "2") << "what the command line says stays";
  }
  tp.signal(SIGTERM);
  EXPECT_EQ(tp.wait(), 0) << tp.output();
}

TEST_F(PublishCamera, SaysThatTheCameraStoppedAndThatItGoesOn) {
  Child tp(publish({"--no-frames-timeout", "1", "--format", "json"}));
  EXPECT_TRUE(eventually([&] { return tp.said("\"event\":\"rate\""); })) << tp.output();
  set(ARV_FAKE_CAMERA_REGISTER_ACQUISITION, 0);
  EXPECT_TRUE(eventually([&] { return tp.said("no frame from camera 127.0.0.1 for 1 s"); })) << tp.output();
  EXPECT_TRUE(eventually([&] { return tp.said("\"event\":\"no_frames\""); })) << tp.output();
  set(ARV_FAKE_CAMERA_REGISTER_ACQUISITION, 1);
  EXPECT_TRUE(eventually([&] { return tp.said("frames from camera 127.0.0.1 again"); })) << tp.output();
  tp.signal(SIGTERM);
  EXPECT_EQ(tp.wait(), 0) << tp.output();
}

}  // namespace
}  // namespace tensorpool::apps
