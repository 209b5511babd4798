// The program as its users call it: arguments, exit statuses, what it prints.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "apps/flow/crc_log.hpp"
#include "apps/imaging/image.hpp"
#include "apps/tp/driver_validate.hpp"
#include "apps/tp/test_driver.hpp"
#include "apps/tp/test_program.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps::tp {
namespace {

const std::string source_dir = TENSORPOOL_SOURCE_DIR;
const std::string camera_config = source_dir + "/docs/examples/driver_camera_example.toml";
const std::string integration_config = source_dir + "/docs/examples/driver_integration_example.toml";

TEST(Tp, RefusesToDoNothing) {
  const Outcome outcome = run("");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(has(outcome, "tp: a command is missing; tp takes driver, ")) << outcome.text;
}

TEST(Tp, RefusesUnknownCommandsOptionsAndFormats) {
  EXPECT_EQ(run("driver frobnicate").status, 2);
  EXPECT_EQ(run("driver status --wavelength 5").status, 2);
  EXPECT_EQ(run("driver status --format xml").status, 2);
  EXPECT_EQ(run("driver status --control-stream-id many").status, 2);
  EXPECT_EQ(run("driver shutdown").status, 2);
}

TEST(Tp, NamesWhatIsWrongWithItsArguments) {
  EXPECT_TRUE(has(run("frobnicate"), "tp: unknown command frobnicate; tp takes driver, "));
  EXPECT_TRUE(has(run("dirver status"), "tp: unknown command dirver, did you mean driver?; tp takes driver, "));
  EXPECT_TRUE(has(run("driver lease"), "tp: unknown command lease, did you mean leases?; tp driver takes "));
  EXPECT_TRUE(has(run("driver frobnicate"), "tp: unknown command frobnicate; tp driver takes run, validate"));
  EXPECT_TRUE(has(run("driver"), "tp: a command is missing; tp driver takes run, validate"));
  EXPECT_TRUE(has(run("consume --stream -1"), "tp: --stream: -1 is not a stream id, 1 to 4294967294"));
  EXPECT_TRUE(has(run("consume --stream 4294967295"), "is not a stream id"));
  EXPECT_TRUE(has(run("consume --seconds nan"), "tp: --seconds: nan is not a number of seconds, 0 to 1000000000"));
  EXPECT_TRUE(has(run("consume --control-stream-id 0"), "is not an Aeron stream id, 1 to 2147483647"));
  EXPECT_TRUE(has(run("publish pattern --rate -3"), "tp: --rate: -3 is not a rate in Hz, 0 or 1e-09 to 1000000000"));
  EXPECT_TRUE(has(run("publish pattern --count -1"), "tp: --count: -1 is not an integer from 0"));
  EXPECT_TRUE(has(run("publish pattern --bytes 0"), "tp: --bytes: 0 is not an integer from 1"));
}

TEST(Tp, HelpsWithAnExampleForEveryDocumentedCommand) {
  std::ifstream doc(source_dir + "/docs/tp.md");
  const std::regex heading("## tp ([a-z ]+)");
  std::smatch match;
  int commands = 0;
  for (std::string line; std::getline(doc, line);) {
    if (std::regex_match(line, match, heading)) {
      const std::string command = match[1];
      const Outcome outcome = run(command + " --help-all");
      if (command == "publish camera" && outcome.status == 2) {
        continue;  // built without Aravis
      }
      EXPECT_EQ(outcome.status, 0) << command;
      EXPECT_TRUE(has(outcome, "Example:\n  tp " + command)) << outcome.text;
      EXPECT_TRUE(has(outcome, "--aeron-dir")) << command;
      ++commands;
    }
  }
  EXPECT_GE(commands, 8);
}

TEST(TpDriverValidate, TellsWhatEachKeyComesTo) {
  const Outcome outcome = run("driver validate --keys --channel aeron:ipc?alias=x " + integration_config,
                              "DRIVER_CONTROL_STREAM_ID=16000 SHM_NAMESPACE=lab");
  EXPECT_EQ(outcome.status, 0);
  for (const char* line :
       {"driver.control_stream_id = 16000\n", "shm.namespace = \"lab\"\n", "policies.announce_period_ms = 1000\n",
        "policies.epoch_gc_keep = 2\n", "driver.announce_stream_id = 15001\n",
        "policies.epoch_gc_min_age_ns = 3000000000\n", "shm.allowed_base_dirs = [\"/dev/shm\"]\n",
        "driver.control_channel = \"aeron:ipc?alias=x\"\n",
        "profiles.camera.payload_pools = [{ pool_id = 1, stride_bytes = 655360 }]\n", "streams.cam1.stream_id = 1\n"}) {
    EXPECT_TRUE(has(outcome, line)) << line << outcome.text;
  }
  const auto json = nlohmann::json::parse(run("driver validate --keys --format json " + integration_config).text);
  EXPECT_EQ(json["keys"]["driver.control_stream_id"], "15000");
  EXPECT_EQ(run_shell(TP_TOOL_BINARY " driver-config-dump " + integration_config).status, 0);
}

TEST(TpDriverValidate, StatesWhatTheCameraExampleWants) {
  const Outcome outcome = run("driver validate " + camera_config);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(has(outcome, "stream 1001 (cam1) takes 5.00 GiB")) << outcome.text;
  EXPECT_TRUE(has(outcome, "all 6 streams together take 18.75 GiB; /dev/shm/tensorpool has")) << outcome.text;
  EXPECT_TRUE(has(outcome, "warning: " + camera_config + ":24: policies.allow_dynamic_streams is true but"))
      << outcome.text;
  EXPECT_TRUE(has(outcome, "up to about 19504 frames/s")) << outcome.text;
}

TEST(TpDriverValidate, NotesAStrideThatJuliaRefuses) {
  const Outcome outcome = run("driver validate " + integration_config);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(
      has(outcome, "warning: " + integration_config + ":28: profiles.camera.payload_pools: stride_bytes 655360"))
      << outcome.text;
}

TEST(TpDriverValidate, WarnsOfSharedIdsAndOfMoreMemoryThanThereIs) {
  const TempDir dir;
  const std::string path = write(dir.path() + "/large.toml",
                                 "[driver]\nqos_stream_id = 1000\n[shm]\nbase_dir = \"/dev/shm\"\n[profiles.a]\n"
                                 "header_nslots = 65536\npayload_pools = [{ pool_id = 1, stride_bytes = 1073741824 }]\n"
                                 "[streams.one]\nstream_id = 1\nprofile = \"a\"\n");
  const Outcome outcome = run("driver validate " + path);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(has(outcome, "driver.control_stream_id and driver.qos_stream_id are both 1000 on aeron:ipc"))
      << outcome.text;
  EXPECT_TRUE(has(outcome, "warning: all 1 configured streams together take 64.00 TiB")) << outcome.text;
  EXPECT_TRUE(has(outcome, "0 errors, 2 warnings")) << outcome.text;
}

TEST(TpDriverValidate, SpeaksJson) {
  const auto json = nlohmann::json::parse(run("driver validate --format json " + camera_config).text);
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["streams"].size(), 6u);
  EXPECT_EQ(json["total_bytes"], 20133912576u);
}

TEST(TpDriverValidate, NamesFileAndLineOfAMistake) {
  const TempDir dir;
  const std::string path = write(dir.path() + "/bad.toml", "[shm]\nbase_dri = \"/dev/shm\"\n");
  const Outcome outcome = run("driver validate " + path);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(has(outcome, "error: " + path + ":2: shm.base_dri: unknown key, did you mean \"base_dir\"?"))
      << outcome.text;
}

TEST(TpDriverValidate, RefusesABaseDirectoryThatTheDriverCouldNotUse) {
  const TempDir dir;
  const std::string path = write(dir.path() + "/base.toml",
                                 "[shm]\nbase_dir = \"" + dir.path() +
                                     "/none\"\n[profiles.a]\npayload_pools = [{ pool_id = 1, stride_bytes = 64 }]\n");
  const Outcome outcome = run("driver validate " + path);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(has(outcome, "error: " + path + ":2: shm.base_dir " + dir.path() + "/none cannot be used; create it"))
      << outcome.text;
}

TEST(TpDriverValidate, NamesOverlappingRanges) {
  const TempDir dir;
  std::ifstream original(integration_config);
  std::string text((std::istreambuf_iterator<char>(original)), {});
  text.replace(text.find("[shm]"), 0, "stream_id_range = \"100-200\"\ndescriptor_stream_id_range = [150, 250]\n");
  const std::string path = write(dir.path() + "/ranges.toml", text);
  const Outcome outcome = run("driver validate " + path);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(has(outcome, path + ":11: driver.stream_id_range 100-200 overlaps driver.descriptor_stream_id_range"))
      << outcome.text;
}

TEST(TpDriverValidate, TakesTheFileFromOptionOrVariable) {
  EXPECT_EQ(run("driver validate --config " + integration_config).status, 0);
  EXPECT_EQ(run("driver validate", "TENSORPOOL_CONFIG=" + integration_config).status, 0);
  const Outcome none = run("driver validate", "TENSORPOOL_CONFIG=");
  EXPECT_EQ(none.status, 2);
  EXPECT_TRUE(has(none, "tp: no configuration file; name one as CONFIG, with --config, or in TENSORPOOL_CONFIG"));
}

TEST(Tp, FailsWhenItsResultsCannotBeWritten) {
  const Outcome outcome = run_shell(TP_BINARY " driver validate " + camera_config + " 2>&1 >/dev/full");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(has(outcome, "tp: lines are missing on standard output: No space left on device")) << outcome.text;
}

TEST(TpDriverStatus, SaysThatThereIsNoMediaDriver) {
  const TempDir dir;
  const Outcome outcome = run("driver status --aeron-dir " + dir.path() + "/aeron");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_TRUE(has(outcome, "there is no media driver in " + dir.path() + "/aeron")) << outcome.text;
}

TEST(TpShmInspect, SaysWhatIsMissing) {
  const TempDir dir;
  EXPECT_EQ(run("shm inspect " + dir.path() + "/none").status, 1);
  const Outcome empty = run("shm inspect " + dir.path());
  EXPECT_EQ(empty.status, 0);
  EXPECT_EQ(empty.text, "no region files\n");
}

TEST(TpShmInspect, FindsABrokenRegion) {
  const TempDir dir;
  write(dir.path() + "/header.ring", std::string(4096, 'x'));
  const Outcome outcome = run("shm inspect " + dir.path());
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(has(outcome, "NOT OK")) << outcome.text;
  const auto json = nlohmann::json::parse(run("shm inspect --format json " + dir.path()).text);
  EXPECT_EQ(json[0]["ok"], false);
}

TEST(TpShmInspect, ShowsTheRestWhereOneEntryIsJunkAndEscapesItsName) {
  const TempDir dir;
  const std::string evil = dir.path() + "/a\x1b]0;owned\x07\nok\xff\u202E.ring";
  std::filesystem::create_directory_symlink("/etc", evil);
  write(dir.path() + "/header.ring", std::string(4096, 'x'));
  const Outcome outcome = run("shm inspect " + dir.path());
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(has(outcome, dir.path() + "/header.ring: NOT OK")) << outcome.text;
  EXPECT_TRUE(has(outcome, "/a\\x1b]0;owned\\x07\\x0aok\\xff\\xe2\\x80\\xae.ring is a symbolic link")) << outcome.text;
  EXPECT_EQ(outcome.text.find('\x1b'), std::string::npos);
  const Outcome as_json = run("shm inspect --format json " + dir.path());
  const auto json = nlohmann::json::parse(as_json.text);
  EXPECT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0]["ok"], false);
}

TEST(TpShmInspect, IsNotHeldUpByASparseFileOfHalfATebibyte) {
  const TempDir dir("tp", "/dev/shm");
  const std::string path = dir.path() + "/header.ring";
  write(path, std::string(64, 'x'));
  std::filesystem::resize_file(path, std::uintmax_t{1} << 39);
  EXPECT_EQ(run("shm inspect " + dir.path()).status, 1);
  EXPECT_EQ(run("shm validate " + dir.path()).status, 1);
}

TEST(TpShm, SkipsAndNamesOtherUsersRegionsUnlessAsked) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make another user's directory";
  const TempDir dir("tp", "/dev/shm");
  const std::string epoch = dir.path() + "/tensorpool-mallory/default/1001/7";
  std::filesystem::create_directories(epoch);
  write(epoch + "/header.ring", "broken");
  ASSERT_EQ(::chown((dir.path() + "/tensorpool-mallory").c_str(), 1234, 1234), 0);
  std::filesystem::create_directory_symlink(dir.path() + "/tensorpool-mallory", dir.path() + "/tensorpool-linked");
  const std::string config = dir.path() + "/driver.toml";
  write(config, "[shm]\nbase_dir = \"" + dir.path() + "\"\n");
  for (const std::string command : {"shm inspect ", "shm validate "}) {
    const Outcome none = run(command + config);
    EXPECT_EQ(none.status, 1);
    EXPECT_TRUE(has(none, "skipped " + dir.path() + "/tensorpool-mallory: it belongs to user 1234")) << none.text;
    EXPECT_TRUE(has(none, "tensorpool-linked: it is no directory, and a link is not followed")) << none.text;
    EXPECT_TRUE(has(none, "--any-owner includes others")) << none.text;
    const Outcome all = run(command + "--any-owner " + config);
    EXPECT_TRUE(has(all, "too short for a superblock")) << all.text;
  }
  const Outcome base = run("shm inspect " + dir.path());
  EXPECT_EQ(base.status, 0) << base.text;
  EXPECT_TRUE(has(base, "skipped " + dir.path() + "/tensorpool-mallory")) << base.text;
}

TEST(DescriptorRate, FollowsFromTheTermLength) {
  EXPECT_EQ(descriptor_rate_limit("aeron:ipc"), 19504u);
  EXPECT_EQ(descriptor_rate_limit("aeron:ipc?term-length=16m"), 78019u);
  EXPECT_EQ(descriptor_rate_limit("aeron:udp?endpoint=localhost:4000"), std::nullopt);
}

TEST_F(RunningDriver, IsSeenInspectedAndShutDownByItsToken) {
  Background driver({"driver", "run", config_});
  const Outcome status = await_status();
  ASSERT_EQ(status.status, 0) << status.text;
  const auto json = nlohmann::json::parse(status.text);
  EXPECT_EQ(json["aeron_dir"], dir_.path() + "/aeron");
  EXPECT_FALSE(json["counters"].empty());

  const Outcome elsewhere =
      run("driver status --config " + config_ + " --control-stream-id 1999 --announce-stream-id 1999");
  EXPECT_EQ(elsewhere.status, 3);
  EXPECT_TRUE(has(elsewhere, "no driver announces itself on control stream 1999 in " + dir_.path() + "/aeron"))
      << elsewhere.text;

  const Outcome second = run("driver run " + config_);
  EXPECT_EQ(second.status, 1);
  EXPECT_TRUE(has(second, "another driver serves the namespace")) << second.text;

  const Outcome wrong = run("driver shutdown --token guess --timeout 0.5 --config " + config_);
  EXPECT_EQ(wrong.status, 3);
  EXPECT_TRUE(has(wrong, "no driver said goodbye within 0.5 s on control stream 1000 of aeron:ipc")) << wrong.text;

  const Outcome right = run("driver shutdown --token s3cret --config " + config_);
  EXPECT_EQ(right.status, 0);
  EXPECT_TRUE(has(right, "the driver shut down (ADMIN)")) << right.text;
  EXPECT_EQ(driver.status(), 0);
}

TEST_F(RunningDriver, EndsCleanlyOnASignal) {
  Background driver({"driver", "run", config_});
  ASSERT_EQ(await_status().status, 0);
  driver.signal(SIGTERM);
  EXPECT_EQ(driver.status(), 0);
  EXPECT_NE(::access((dir_.path() + "/aeron").c_str(), F_OK), 0) << "the media driver's directory is left";
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

class Frames : public RunningDriver {
 protected:
  void SetUp() override { ASSERT_EQ(await_status().status, 0); }
  Background publish(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "publish");
    arguments.insert(arguments.end(), {"--config", config_});
    return Background(std::move(arguments));
  }

  Background driver_{{"driver", "run", config_}};
};

TEST_F(Frames, OfAPatternAreVerifiedOneByOne) {
  const Background producer = publish({"pattern", "--size", "32x16", "--rate", "300"});
  const Outcome outcome = run_for_output(with_config("consume --verify --each --format json --count 5"));
  ASSERT_EQ(outcome.status, 0) << outcome.text;
  const auto frames = json_lines(outcome.text);
  ASSERT_EQ(frames.size(), 5u);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i]["stream"], 7);
    EXPECT_TRUE(frames[i]["epoch"].is_string() && frames[i]["timestamp"].is_number());
    EXPECT_EQ(frames[i]["shape"], (nlohmann::json{16, 32}));
    EXPECT_EQ(frames[i]["dtype"], "uint16");
    EXPECT_EQ(frames[i]["bytes"], 1024);
    EXPECT_EQ(frames[i]["ok"], true);
    EXPECT_TRUE(i == 0 || frames[i]["seq"] > frames[i - 1]["seq"]);
  }
}

TEST_F(Frames, AreOfTheConfiguredStreamAndClient) {
  std::ofstream(config_, std::ios::app)
      << "[streams.other]\nstream_id = 9\nprofile = \"a\"\n[producer]\nstream_id = 7\n"
         "producer_id = 77\n[consumer]\nstream_id = 7\nconsumer_id = 78\ndecimation = 2\n";
  const Background producer = publish({"pattern", "--size", "32x16", "--rate", "300"});
  const Outcome outcome = run(with_config("consume --verify --count 5"));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(has(outcome, "stream 7: attached as consumer 78")) << outcome.text;
  EXPECT_TRUE(has(outcome, "verified 5")) << outcome.text;
  EXPECT_TRUE(has(outcome, "lost decimated")) << outcome.text;
}

TEST_F(Frames, ThatDoNotComeInTimeAreAFailure) {
  const Outcome counted = run(with_config("consume --count 5 --seconds 0.2"));
  EXPECT_EQ(counted.status, 3);
  EXPECT_TRUE(has(counted, "stream 7: 0 of 5 frames came within 0.2 s")) << counted.text;
  EXPECT_EQ(run(with_config("consume --verify --seconds 0.2")).status, 3);
  EXPECT_EQ(run(with_config("consume --seconds 0.2")).status, 0);
}

TEST_F(Frames, SayNothingAboutContentThatNobodyChecked) {
  const Background producer = publish({"pattern", "--size", "32x16", "--rate", "300"});
  const auto frames = json_lines(run_for_output(with_config("consume --each --format json --count 1")).text);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_TRUE(frames[0]["ok"].is_null());
}

TEST_F(Frames, ThatAreNotThePatternMakeTheStatus1) {
  const Background producer = publish({"images", source_dir + "/examples/data/starfield", "--rate", "100"});
  const Outcome outcome = run(with_config("consume --verify --count 5"));
  EXPECT_EQ(outcome.status, 1) << outcome.text;
  EXPECT_TRUE(has(outcome, "5 of 5 frames did not hold the pattern of their sequence")) << outcome.text;
}

TEST_F(Frames, OfImageFilesAreThoseImages) {
  const std::string pictures = source_dir + "/examples/data/starfield";
  const std::string crc_log = dir_.path() + "/sent.crc";
  Background producer = publish({"images", pictures, "--rate", "50", "--crc-log", crc_log, "--count", "0"});
  const std::string saved = dir_.path() + "/saved";
  std::filesystem::create_directory(saved);
  const Outcome outcome = run(with_config("consume --count 3 --save " + saved));
  ASSERT_EQ(outcome.status, 0) << outcome.text;
  int same = 0;
  for (const auto& file : std::filesystem::directory_iterator(saved)) {
    const auto image = load_image(file.path());
    ASSERT_TRUE(image) << image.error().message;
    for (const auto& original : std::filesystem::directory_iterator(pictures)) {
      same += load_image(original.path())->pixels == image->pixels ? 1 : 0;
    }
  }
  EXPECT_EQ(same, 3);
  producer.signal(SIGINT);
  EXPECT_EQ(producer.status(), 0);
  EXPECT_GE(read_crc_log(crc_log)->size(), 3u);
}

TEST_F(RunningDriver, IsWaitedForAsLongAsIsSaid) {
  const Background driver({"driver", "run", config_});
  ASSERT_EQ(await_status().status, 0);
  const Outcome outcome = run("consume --count 1 --control-stream-id 1999 --attach-timeout 0.3 --config " + config_);
  EXPECT_EQ(outcome.status, 3);
  EXPECT_TRUE(has(outcome, "no attachment within 300 ms")) << outcome.text;
}

TEST_F(Frames, OfAStreamThatIsNotThereAreRefusedWithTheReason) {
  const Outcome outcome = run(with_config("consume --count 1 --stream 8"));
  EXPECT_EQ(outcome.status, 4) << outcome.text;
  EXPECT_TRUE(has(outcome, "stream 8")) << outcome.text;
}

TEST_F(Frames, LargerThanEveryPoolAreRefusedBeforeTheFirst) {
  const Outcome outcome = run(with_config("publish pattern --size 1024x1024 --count 1"));
  EXPECT_NE(outcome.status, 0) << outcome.text;
  EXPECT_TRUE(has(outcome, "2097152") && has(outcome, "262144")) << outcome.text;
}

TEST(TpPublishImages, SaysWhichFileIsNoImage) {
  const TempDir dir;
  write(dir.path() + "/broken.png", "no image");
  const Outcome broken = run("publish images --stream 7 " + dir.path());
  EXPECT_EQ(broken.status, 1);
  EXPECT_TRUE(has(broken, dir.path() + "/broken.png is neither PNG nor TIFF")) << broken.text;
  const Outcome none = run("publish images --stream 7 " + dir.path() + "/none");
  EXPECT_EQ(none.status, 1);
  EXPECT_TRUE(has(none, dir.path() + "/none")) << none.text;
}

}  // namespace
}  // namespace tensorpool::apps::tp
