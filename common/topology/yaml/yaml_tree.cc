#include "common/topology/yaml/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

// Tags that the parser gives to plain and to quoted scalars, and the one that says "text".
constexpr char kPlainTag[] = "?";
constexpr char kQuotedTag[] = "!";
constexpr char kTextTag[] = "tag:yaml.org,2002:str";

int LineOf(const YAML::Mark& mark) { return mark.line + 1; }

// Builds the tree from the parser's events. Past a limit it notes the problem and lets the rest of
// the events pass by.
class TreeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Refuse(LineOf(mark), "there must be one document, and a second begins");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Close(Open(YamlNode::Kind::kNull, mark, ""), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const auto node = Open(YamlNode::Kind::kScalar, mark, tag);
    if (node != nullptr) {
      node->text = value;
      node->quoted = tag == kQuotedTag || tag == kTextTag;
    }
    Close(node, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (refused()) return;
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) {
      Refuse(LineOf(mark), "an alias stands for something that it is inside of");
      return;
    }
    Attach(it->second);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Enter(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Leave(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Enter(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { Leave(); }

  // True once there is a problem: no later event changes the result.
  bool refused() const { return !problems_.empty(); }

  YamlDocument Take() && {
    YamlDocument document;
    document.problems = std::move(problems_);
    if (document.problems.empty() && root_ == nullptr) {
      document.problems.push_back({1, "", "the file is empty"});
    }
    if (document.problems.empty()) document.root = std::move(root_);
    return document;
  }

 private:
  // A map or list whose end has not come yet.
  struct OpenNode {
    std::shared_ptr<YamlNode> node;
    YAML::anchor_t anchor;
    std::shared_ptr<const YamlNode> key;  // of a map: waits for its value
  };

  void Refuse(int line, std::string what) {
    if (!refused()) problems_.push_back({line, "", std::move(what)});
  }

  // A new node, or null when the document is refused.
  std::shared_ptr<YamlNode> Open(YamlNode::Kind kind, const YAML::Mark& mark,
                                 const std::string& tag) {
    if (!tag.empty() && tag != kPlainTag && tag != kQuotedTag && tag != kTextTag) {
      Refuse(LineOf(mark), absl::StrCat("tags such as \"", tag, "\" have no meaning here"));
    }
    if (++nodes_ > kYamlNodesMax) {
      Refuse(LineOf(mark), absl::StrCat("the file has more than ", kYamlNodesMax, " values"));
    }
    if (refused()) return nullptr;
    auto node = std::make_shared<YamlNode>();
    node->kind = kind;
    node->line = LineOf(mark);
    return node;
  }

  // A node is complete: aliases may stand for it from here on, not before, so there is no cycle.
  void Close(const std::shared_ptr<YamlNode>& node, YAML::anchor_t anchor) {
    if (node == nullptr) return;
    if (anchor != 0) anchors_[anchor] = node;
    Attach(node);
  }

  void Enter(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
             YAML::anchor_t anchor) {
    if (open_.size() >= kYamlDepthMax) {
      Refuse(LineOf(mark), absl::StrCat("the file nests deeper than ", kYamlDepthMax, " levels"));
    }
    auto node = Open(kind, mark, tag);
    if (node != nullptr) open_.push_back({std::move(node), anchor, nullptr});
  }

  void Leave() {
    if (refused()) return;
    const OpenNode done = std::move(open_.back());
    open_.pop_back();
    Close(done.node, done.anchor);
  }

  void Attach(std::shared_ptr<const YamlNode> node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    OpenNode& parent = open_.back();
    if (parent.node->kind == YamlNode::Kind::kList) {
      parent.node->items.push_back(std::move(node));
    } else if (parent.key == nullptr) {
      parent.key = std::move(node);
    } else {
      parent.node->entries.emplace_back(std::move(parent.key), std::move(node));
      parent.key = nullptr;
    }
  }

  std::vector<FileProblem> problems_;
  std::shared_ptr<const YamlNode> root_;
  std::vector<OpenNode> open_;
  absl::flat_hash_map<YAML::anchor_t, std::shared_ptr<const YamlNode>> anchors_;
  int nodes_ = 0;
  int documents_ = 0;
};

}  // namespace

YamlDocument ParseYaml(absl::string_view text) {
  TreeBuilder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    // Of some texts, such as a comma, the library makes empty documents without an end.
    while (!builder.refused() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {  // the library's only way to say so
    YamlDocument document;
    document.problems.push_back(
        {error.mark.is_null() ? 1 : LineOf(error.mark), "", absl::StrCat("not YAML: ", error.msg)});
    return document;
  }
  return std::move(builder).Take();
}

}  // namespace homeport
