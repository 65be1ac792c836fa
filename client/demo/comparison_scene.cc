#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/demo/scenes.h"

namespace homeport {

absl::Status ComparisonScene(Stage& stage) {
  stage.Heading("All links are cut; each region is read by itself, record by record");
  stage.world().BreakAll(LinkFailure::kCut);
  auto contents = stage.ReadAll();
  if (!contents.ok()) return contents.status();
  size_t own = 0;
  for (size_t i = 0; i < contents->size(); ++i) {
    const RegionContent& content = (*contents)[i];
    const std::string replica = stage.world().replica_name(static_cast<int>(i));
    own += content.replicas == std::set<std::string>{replica};
    stage.Say(absl::StrCat(stage.region_name(static_cast<int>(i)), ": ", content.records,
                           " records, ", content.items.size(), " items, answered by ",
                           absl::StrJoin(content.replicas, ", ")));
  }
  const Differences differences = Compare(stage.names(), *contents);
  for (const std::string& example : differences.examples) stage.Say(example);
  const size_t items = contents->front().items.size();
  stage.claims().Add("alone, each region answers from its own replica", own == contents->size(),
                     absl::StrCat(own, " of ", contents->size()));
  stage.claims().Add("alone, all regions hold the same, values and versions",
                     differences.count == 0 && items > 0,
                     absl::StrCat(items, " items, ", differences.count, " differences"));
  return absl::OkStatus();
}

}  // namespace homeport
