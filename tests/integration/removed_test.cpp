// What logind's RemoveIPC, or a hand, does to those who run: their directories are gone, what they have mapped is not.
#include <filesystem>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

class Removed : public RigTest {};

TEST_F(Removed, RegionsAreMadeAnewAndFramesGoOn) {
  auto media = rig().spawn_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  const std::uint64_t epoch = consumer->value("epoch");
  fs::remove_all(fs::path(rig().namespace_dir()).parent_path());
  EXPECT_TRUE(driver->await("was removed by somebody")) << driver->output();
  EXPECT_TRUE(consumer->advances("delivered", 50)) << "they have it mapped\n" << consumer->output();
  EXPECT_EQ(consumer->value("epoch"), epoch);
  producer->kill();
  ASSERT_TRUE(driver->await("ended, EXPIRED")) << driver->output();
  producer = rig().spawn_producer();
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") == producer->value("epoch"); }))
      << consumer->output() << driver->output();
  EXPECT_TRUE(consumer->advances("delivered", 50)) << consumer->output();
  EXPECT_TRUE(fs::exists(rig().epoch_dir(producer->value("epoch"))));
  EXPECT_EQ(consumer->value("bad"), 0U) << consumer->output();
  EXPECT_EQ(consumer->value("disorder"), 0U) << consumer->output();
  end(*producer);
  end(*consumer);
  end_driver(*driver);
  end(*media);
}

TEST_F(Removed, TheMediaDriversDirectoryIsMissedByTheDriver) {
  auto media = rig().spawn_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  fs::remove_all(rig().aeron_dir());
  EXPECT_TRUE(driver->await(rig().aeron_dir() + " was removed by somebody, and its media driver lives on"))
      << driver->output();
  EXPECT_TRUE(consumer->advances("delivered", 50)) << "they are connected\n" << consumer->output();
  EXPECT_EQ(consumer->value("bad"), 0U) << consumer->output();
  end(*producer);
  end(*consumer);
  end_driver(*driver);
  end(*media);
}

}  // namespace
}  // namespace tensorpool
