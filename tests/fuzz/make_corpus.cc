// Writes the corpora of what has a binary form: what two replicas say to each other, what stands on
// their disks, and tokens; and of each input, one that is cut off.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/session/session_token.h"
#include "homeport/internal/v1/entry.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/page_token.h"
#include "storage/replication/seed_chunk.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/replica_bed.h"

namespace homeport::fuzz {
namespace {

using internal::v1::PullRequest;
using internal::v1::PullResponse;

// Inputs are in the tree, and small ones are mutated faster. What would be larger lacks a message.
constexpr size_t kInputBytesMax = 40 * 1024;

class Corpora {
 public:
  explicit Corpora(std::filesystem::path root) : root_(std::move(root)) {}
  void Add(const std::string& target, const std::string& name, const std::string& input) {
    std::filesystem::create_directories(root_ / target);
    Write(root_ / target / name, input);
    Write(root_ / target / absl::StrCat(name, "-cut"), input.substr(0, input.size() * 2 / 3));
  }

 private:
  static void Write(const std::filesystem::path& path, const std::string& input) {
    std::ofstream(path, std::ios::binary) << input;
  }
  const std::filesystem::path root_;
};

// What r0/a hears of r1/a, and what r1/a is asked, over one link.
struct Conversation {
  std::vector<PullRequest> requests;
  std::vector<PullResponse> responses;
};

Conversation Converse(int from, int to, bool seeded) {
  ReplicaBed sending(from);
  ReplicaBed receiving(to);
  Conversation conversation;
  LinkSender::Options options;
  options.cluster = kBedCluster;
  options.self = sending.name();
  LinkSender sender(std::move(options), &sending.engine());
  BedReceiver receiver(receiving, sending.name(), seeded);
  std::vector<PullRequest> requests = {receiver.hello()};
  for (int round = 0; round < 20; ++round) {
    std::vector<PullResponse> responses;
    for (const PullRequest& request : requests) {
      conversation.requests.push_back(request);
      if (request.has_hello()) {
        sender.OnHello(request.hello(), BedTopology(), *sending.core().view());
        *responses.emplace_back().mutable_hello() =
            MakeHello(kBedCluster, sending.name(), BedTopology()->fingerprint(),
                      *sending.core().view(), sending.now().wall);
      }
      sender.OnRequest(request, *sending.core().view());
    }
    requests.clear();
    for (int i = 0; i < 8; ++i) {
      auto next = sender.Next(*sending.core().view());
      if (next.ok() && !next->has_value()) {
        next = sender.NextSeed(*sending.core().view(), sending.now().steady);
      }
      if (!next.ok() || !next->has_value()) continue;
      responses.push_back(**next);
    }
    if (round % 5 == 0) {
      responses.push_back(sender.MakeHeartbeat(
          *sending.core().view(), sending.core().MakeWatermark(sending.now()), sending.now().wall));
    }
    for (const PullResponse& response : responses) {
      if (!receiver.Take(response).ok()) abort();
      conversation.responses.push_back(response);
    }
    sending.Advance(absl::Milliseconds(100));
    receiving.Advance(absl::Milliseconds(100));
    for (int i = 0; i < 4; ++i) {
      if (auto request = receiver.NextRequest()) requests.push_back(*request);
    }
  }
  return conversation;
}

// Without compression, so that mutations reach the entries.
PullResponse Plain(PullResponse response) {
  if (response.has_batch()) {
    const auto block = UnpackBlock(response.batch());
    if (!block.ok()) abort();
    response.mutable_batch()->Clear();
    response.mutable_batch()->set_block(block->SerializeAsString());
  }
  if (response.has_seed_chunk()) {
    const auto block = UnpackSeedBlock(response.seed_chunk());
    if (!block.ok()) abort();
    response.mutable_seed_chunk()->set_block(block->SerializeAsString());
    response.mutable_seed_chunk()->clear_uncompressed_bytes();
  }
  return response;
}

void AddLinks(Corpora& corpora) {
  for (const bool seeded : {false, true}) {
    const std::string name = seeded ? "seeding" : "streaming";
    const std::string flag(1, seeded ? '\1' : '\0');
    std::string all = flag;
    int number = 0;
    int frames = 0;
    std::string hello;
    for (const PullResponse& response : Converse(1, 0, seeded).responses) {
      const std::string plain = Plain(response).SerializeAsString();
      if (frames++ < kFramesMax && all.size() + plain.size() < kInputBytesMax) AddFrame(plain, all);
      if (hello.empty()) {
        hello = plain;
        continue;
      }
      if (number >= 6) continue;
      std::string alone = flag;
      AddFrame(hello, alone);
      AddFrame(plain, alone);
      corpora.Add("link_receiver", absl::StrCat(name, ++number), alone);
      if (response.has_batch()) {
        const std::string block = response.batch().block();
        corpora.Add("frames", absl::StrCat("packed-", name, number),
                    absl::StrCat(std::string(1, '\0'), block));
        const auto entries = UnpackBlock(response.batch());
        if (!entries.ok()) abort();
        corpora.Add("frames", absl::StrCat("plain-", name, number),
                    absl::StrCat("\1", entries->SerializeAsString()));
        for (int i = 0; i < entries->entries_size() && i < 6; ++i) {
          corpora.Add("frames", absl::StrCat("entry-", name, number, "-", i),
                      absl::StrCat("\4", entries->entries(i)));
        }
      }
      if (response.has_seed_chunk()) {
        corpora.Add("frames", absl::StrCat("chunk-", name, number),
                    absl::StrCat("\6", Plain(response).seed_chunk().SerializeAsString()));
      }
    }
    corpora.Add("link_receiver", name, all);

    all = "\1";
    frames = 0;
    for (const PullRequest& request : Converse(0, 1, seeded).requests) {
      if (frames++ < kFramesMax) AddFrame(request.SerializeAsString(), all);
    }
    corpora.Add("link_sender", name, all);
  }
}

// Every pair of a replica's disk by itself.
void AddStored(Corpora& corpora) {
  ReplicaBed bed(0);
  for (int table = 0; table < kTableCount; ++table) {
    auto iterator = bed.engine().Iterate(static_cast<Table>(table));
    int number = 0;
    for (iterator->Seek(""); iterator->Valid() && number < 8; iterator->Next()) {
      const std::string key(iterator->key());
      const std::string value(iterator->value());
      if (key.size() > 255 || value.size() > 8192) continue;
      std::string pair(1, static_cast<char>(table));
      pair.push_back(static_cast<char>(key.size()));
      std::string input;
      AddFrame(absl::StrCat(pair, key, value), input);
      corpora.Add("stored", absl::StrCat("table", table, "-", ++number), input);
      if (static_cast<Table>(table) == Table::kItems) {
        corpora.Add("frames", absl::StrCat("item-", number), absl::StrCat("\10", value));
      }
      corpora.Add("frames", absl::StrCat("key-", table, "-", number), absl::StrCat("\7", key));
    }
  }
}

void AddTokens(Corpora& corpora) {
  SessionToken token;
  corpora.Add("session_token", "empty", token.Serialize(0x0123456789abcdef));
  for (uint64_t origin = 1; origin <= 5; ++origin) token.Advance(Origin(origin), Sequence(origin));
  corpora.Add("session_token", "five", token.Serialize(0x0123456789abcdef));
  corpora.Add("session_token", "foreign", token.Serialize(1));
  corpora.Add("page_token", "key", MakePageToken(PageRequestHash({"namespace", "id"}), "key"));
  corpora.Add("page_token", "other", MakePageToken(PageRequestHash({"namespace"}), "key"));
}

}  // namespace
}  // namespace homeport::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_make_corpus DIRECTORY\n");
    return 2;
  }
  homeport::fuzz::Corpora corpora(argv[1]);
  homeport::fuzz::AddLinks(corpora);
  homeport::fuzz::AddStored(corpora);
  homeport::fuzz::AddTokens(corpora);
  return 0;
}
