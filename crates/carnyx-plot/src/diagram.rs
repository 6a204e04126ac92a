//! Boxes and arrows: what a diagram is, before anything is drawn.
//!
//! A [`Diagram`] knows nothing of layers: it has blocks with a few lines of text, arrows between them, and groups that
//! become frames. Invariant of a drawn diagram: every arrow goes down, no boxes overlap, and a frame holds its
//! members and nothing else; what cannot be drawn so is an error that names it.

use crate::layout::{Layout, Plan, layout};
use crate::{file, picture, png};
use carnyx_graph::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// What a block stands for: it decides the colours.
///
/// # Example
/// ```
/// use carnyx_plot::{Block, Diagram, Role};
/// let svg = |role| Diagram::new().block("a", Block::new("a").role(role)).to_svg();
/// assert_eq!(Role::default(), Role::Trained);
/// assert_ne!(svg(Role::Fixed)?, svg(Role::Trained)?); // other colours
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// What comes from outside.
    Input,
    /// A part that learns.
    #[default]
    Trained,
    /// A part that does not learn.
    Fixed,
    /// A plain operation: a small rounded box.
    Operation,
    /// What is given to the outside: a small rounded box.
    Output,
}

/// A box of a [`Diagram`]: a title, a word on its kind, and lines of details.
///
/// # Example
/// ```
/// use carnyx_plot::{Block, Diagram, Role};
/// let dense = Block::new("hidden").kind("Dense · relu").line("[batch, 4] → [batch, 30]").line("150 parameters");
/// let svg = Diagram::new().block("h", dense).block("y", Block::new("output").role(Role::Output)).to_svg()?;
/// assert!(svg.contains("150 parameters"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) lines: Vec<String>,
    pub(crate) role: Role,
    pub(crate) is_dashed: bool,
}

impl Block {
    /// A block of this title.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// assert!(Diagram::new().block("h", Block::new("hidden")).to_svg()?.contains("hidden"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(title: impl Into<String>) -> Block {
        Block { title: title.into(), ..Block::default() }
    }

    /// What it is, beside the title.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let dense = Block::new("hidden").kind("Dense");
    /// assert!(Diagram::new().block("h", dense).to_svg()?.contains("Dense"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn kind(mut self, kind: impl Into<String>) -> Block {
        self.kind = kind.into();
        self
    }

    /// One more line below the title. An operation or output shows its lines beside the title.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let dense = Block::new("hidden").line("30 units").line("150 parameters");
    /// assert!(Diagram::new().block("h", dense).to_svg()?.contains("150 parameters"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn line(mut self, line: impl Into<String>) -> Block {
        self.lines.push(line.into());
        self
    }

    /// What it stands for.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram, Role};
    /// let pixels = Block::new("pixels").role(Role::Input);
    /// assert!(Diagram::new().block("x", pixels).to_svg()?.contains("pixels"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn role(mut self, role: Role) -> Block {
        self.role = role;
        self
    }

    /// With a dashed border: something that is shown elsewhere already.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let shared = Block::new("encoder").dashed();
    /// assert!(Diagram::new().block("again", shared).to_svg()?.contains("stroke-dasharray"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn dashed(mut self) -> Block {
        self.is_dashed = true;
        self
    }
}

/// Boxes in rows from top to bottom, with arrows between them and frames around groups.
///
/// Blocks and groups are referred to by keys, which are not shown.
///
/// # Example
/// ```
/// use carnyx_plot::{Block, Diagram, Role};
/// let svg = Diagram::new()
///     .block("x", Block::new("x").role(Role::Input).line("[batch, 4]"))
///     .block("hidden", Block::new("hidden").kind("Dense"))
///     .block("sum", Block::new("add").role(Role::Operation))
///     .edge("x", "hidden")
///     .edge("hidden", "sum")
///     .edge("x", "sum")
///     .group("block", "residual block", "", ["hidden", "sum"])
///     .to_svg()?;
/// assert!(svg.contains("residual block"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Diagram {
    pub(crate) blocks: Vec<(String, Block)>,
    edges: Vec<(String, String)>,
    pub(crate) groups: Vec<Group>,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    key: String,
    pub title: String,
    pub kind: String,
    members: Vec<String>,
}

impl Diagram {
    /// A diagram without blocks.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::Diagram;
    /// assert_eq!(Diagram::new().to_svg().unwrap_err().title(), "the diagram has no blocks");
    /// ```
    pub fn new() -> Diagram {
        Diagram::default()
    }

    /// Adds a block.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let twice = Diagram::new().block("h", Block::new("first")).block("h", Block::new("second"));
    /// assert!(twice.to_svg().is_err()); // a key is one block's
    /// ```
    pub fn block(mut self, key: impl Into<String>, block: Block) -> Diagram {
        self.blocks.push((key.into(), block));
        self
    }

    /// Adds an arrow from one block to another. The same arrow twice is drawn once.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let blocks = Diagram::new().block("x", Block::new("x")).block("y", Block::new("y"));
    /// assert!(blocks.clone().edge("x", "y").to_svg().is_ok());
    /// assert!(blocks.edge("x", "y").edge("y", "x").to_svg().is_err()); // round in a circle
    /// ```
    pub fn edge(mut self, from: impl Into<String>, to: impl Into<String>) -> Diagram {
        self.edges.push((from.into(), to.into()));
        self
    }

    /// Adds a frame around blocks and other groups, with a title and a word on its kind.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let layers = Diagram::new().block("a", Block::new("dense")).block("b", Block::new("dense_1"));
    /// let svg = layers.group("encoder", "encoder", "Sequential", ["a", "b"]).to_svg()?;
    /// assert!(svg.contains("Sequential"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn group(
        mut self,
        key: impl Into<String>,
        title: impl Into<String>,
        kind: impl Into<String>,
        members: impl IntoIterator<Item = impl Into<String>>,
    ) -> Diagram {
        let members = members.into_iter().map(Into::into).collect();
        self.groups.push(Group { key: key.into(), title: title.into(), kind: kind.into(), members });
        self
    }

    /// The number of blocks.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// assert_eq!(Diagram::new().block("a", Block::new("a")).num_blocks(), 1);
    /// ```
    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The diagram as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if there is no block, a key is unknown or used twice, a group is empty or has a member of another
    /// group, or the arrows go round in a circle.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// let blocks = Diagram::new().block("x", Block::new("x")).block("y", Block::new("y"));
    /// assert!(blocks.clone().edge("x", "y").to_svg()?.starts_with("<svg"));
    /// assert!(blocks.edge("x", "z").to_svg().is_err()); // there is no block `z`
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Ok(picture::draw(self, &self.layout()?))
    }

    /// The diagram as the bytes of a PNG file: see [`Figure::to_png`](crate::Figure::to_png).
    ///
    /// # Errors
    /// As [`Diagram::to_svg`] and [`Figure::to_png`](crate::Figure::to_png).
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// match Diagram::new().block("a", Block::new("a")).to_png() {
    ///     Ok(bytes) => assert!(bytes.starts_with(b"\x89PNG")),
    ///     Err(error) => assert_eq!(error.code(), "feature"), // which is off by default
    /// }
    /// ```
    pub fn to_png(&self) -> Result<Vec<u8>> {
        png::drawn(&self.to_svg()?)
    }

    /// Writes the diagram as a file, in full or not at all: SVG or PNG, as its name says.
    ///
    /// # Errors
    /// As [`Diagram::to_svg`] and [`Figure::save`](crate::Figure::save).
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Block, Diagram};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("model.svg");
    /// Diagram::new().block("a", Block::new("a")).block("b", Block::new("b")).edge("a", "b").save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        file::save(path.as_ref(), || self.to_svg())
    }

    pub(crate) fn layout(&self) -> Result<Layout> {
        layout(&self.plan()?)
            .ok_or_else(|| Error::new("data", "the arrows of the diagram go round in a circle"))
    }

    fn plan(&self) -> Result<Plan> {
        if self.blocks.is_empty() {
            return Err(
                Error::new("data", "the diagram has no blocks").help("add one with `.block(key, block)`")
            );
        }
        let block_keys = self.blocks.iter().map(|(key, _)| key);
        let mut index = HashMap::new();
        for (i, key) in block_keys.chain(self.groups.iter().map(|group| &group.key)).enumerate() {
            if index.insert(key.as_str(), i).is_some() {
                return Err(Error::new("data", format!("two parts of the diagram have the key `{key}`")));
            }
        }
        let find = |key: &str| {
            index.get(key).copied().ok_or_else(|| {
                let known: Vec<&str> = self.blocks.iter().map(|(key, _)| key.as_str()).collect();
                Error::new("data", format!("the diagram has no part with the key `{key}`"))
                    .suggest(key, &known)
            })
        };
        let around = self.groups_around(find)?;
        let mut edges = Vec::new();
        let mut seen = HashSet::new();
        for (from, to) in &self.edges {
            let ends = (find(from)?, find(to)?);
            if let Some(&group) = [ends.0, ends.1].iter().find(|&&end| end >= self.blocks.len()) {
                let key = &self.groups[group - self.blocks.len()].key;
                return Err(Error::new("data", format!("an arrow cannot lead to or from the group `{key}`"))
                    .help("connect one of its blocks"));
            }
            if seen.insert(ends) {
                edges.push(ends);
            }
        }
        let sizes = self.blocks.iter().zip(&around).map(|((_, block), &group)| {
            let (width, height) = picture::size(block);
            (width, height, group)
        });
        let groups = self.groups.iter().zip(&around[self.blocks.len()..]);
        Ok(Plan {
            boxes: sizes.collect(),
            groups: groups.map(|(group, &around)| (picture::title_width(group), around)).collect(),
            edges,
        })
    }

    /// The group around each block, then around each group.
    fn groups_around(&self, find: impl Fn(&str) -> Result<usize>) -> Result<Vec<Option<usize>>> {
        let mut around = vec![None; self.blocks.len() + self.groups.len()];
        for (i, group) in self.groups.iter().enumerate() {
            if group.members.is_empty() {
                return Err(Error::new("data", format!("the group `{}` is empty", group.key)));
            }
            for key in &group.members {
                let other = around[find(key)?].replace(i).filter(|&other| other != i);
                if let Some(other) = other {
                    let (a, b) = (&self.groups[other].key, &group.key);
                    return Err(Error::new("data", format!("`{key}` is in the groups `{a}` and `{b}`"))
                        .help("a group may be a member of another one"));
                }
            }
        }
        for i in 0..self.groups.len() {
            let outer = |&group: &usize| around[self.blocks.len() + group];
            if std::iter::successors(Some(i), outer).take(self.groups.len() + 1).count() > self.groups.len() {
                let title = format!("the group `{}` is a member of itself", self.groups[i].key);
                return Err(Error::new("data", title));
            }
        }
        Ok(around)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Rect;

    fn number(i: usize) -> String {
        i.to_string()
    }

    /// Blocks `0..num`, with texts of different lengths.
    fn blocks(num: usize) -> Diagram {
        (0..num).fold(Diagram::new(), |diagram, i| {
            let block =
                Block::new(format!("layer_{i}")).kind("Dense").line("[batch, 30] → ".repeat(1 + i % 2));
            let pill = Block::new("add").role(Role::Operation);
            diagram.block(number(i), if i % 5 == 4 { pill } else { block })
        })
    }

    fn chain(num: usize) -> Diagram {
        (1..num).fold(blocks(num), |diagram, i| diagram.edge(number(i - 1), number(i)))
    }

    /// A chain with a way around each four blocks.
    fn residual(num: usize) -> Diagram {
        (4..num)
            .step_by(5)
            .fold(chain(num), |diagram, i| diagram.edge(number(i.saturating_sub(5)), number(i)))
    }

    /// Three branches with frames, one in another, that come together at the end.
    fn nested() -> Diagram {
        let mut diagram = blocks(18);
        for (from, to) in
            [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (8, 4), (0, 9), (9, 10)]
        {
            diagram = diagram.edge(number(from), number(to));
        }
        for (from, to) in
            [(10, 4), (9, 11), (11, 4), (12, 11), (13, 6), (13, 4), (4, 14), (14, 15), (14, 16), (16, 17)]
        {
            diagram = diagram.edge(number(from), number(to));
        }
        diagram
            .group("a", "first branch", "Sequential", ["1", "2", "3"])
            .group("b", "a branch with a long title", "Sequential", ["5", "c", "8"])
            .group("c", "inner", "", ["6", "7"])
            .group("d", "third", "", ["9", "10", "11"])
            .group("e", "heads", "", ["15", "f"])
            .group("f", "head", "", ["16", "17"])
    }

    fn overlap(a: &Rect, b: &Rect) -> bool {
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
    }

    fn contains(outer: &Rect, inner: &Rect) -> bool {
        outer.x < inner.x
            && outer.y < inner.y
            && inner.x + inner.width < outer.x + outer.width
            && inner.y + inner.height < outer.y + outer.height
    }

    fn check(diagram: &Diagram) -> Layout {
        let (layout, plan) = (diagram.layout().unwrap(), diagram.plan().unwrap());
        let page = Rect { x: 0.0, y: 0.0, width: layout.width, height: layout.height };
        for (i, a) in layout.boxes.iter().enumerate() {
            assert!(contains(&page, a), "{i}: {a:?} in {page:?}");
            for (j, b) in layout.boxes.iter().enumerate().skip(i + 1) {
                assert!(!overlap(a, b), "{i} {a:?} and {j} {b:?}");
            }
            for (group, frame) in layout.frames.iter().enumerate() {
                let is_member = plan.around(plan.boxes[i].2).any(|around| around == group);
                assert_eq!(contains(frame, a), is_member, "box {i} {a:?}, group {group} {frame:?}");
                assert_eq!(overlap(frame, a), is_member, "box {i} {a:?}, group {group} {frame:?}");
            }
        }
        for (i, a) in layout.frames.iter().enumerate() {
            for (j, b) in layout.frames.iter().enumerate().filter(|(j, _)| *j != i) {
                let is_around = |a: usize, b: usize| plan.around(plan.groups[b].1).any(|around| around == a);
                assert_eq!(contains(a, b), is_around(i, j), "{a:?} {b:?}");
                assert_eq!(overlap(a, b), is_around(i, j) || is_around(j, i), "{a:?} {b:?}");
            }
        }
        for (route, (from, to)) in layout.edges.iter().zip(&plan.edges) {
            let (from, to) = (&layout.boxes[*from], &layout.boxes[*to]);
            assert_eq!((route[0].top, route[route.len() - 1].bottom), (from.y + from.height, to.y));
            assert!(route.iter().all(|descent| descent.top <= descent.bottom), "{route:?}");
            assert!(route.windows(2).all(|pair| pair[0].bottom < pair[1].top), "{route:?}");
            for descent in &route[1..route.len() - 1] {
                let lane =
                    Rect { x: descent.x, y: descent.top, width: 0.0, height: descent.bottom - descent.top };
                assert!(!layout.boxes.iter().any(|rect| overlap(rect, &lane)), "{descent:?}");
            }
        }
        let svg = diagram.to_svg().unwrap();
        assert_eq!(svg, diagram.clone().to_svg().unwrap());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        layout
    }

    #[test]
    fn boxes_do_not_overlap_and_edges_go_down() {
        for num in [1, 2, 5, 50, 300] {
            check(&blocks(num.min(50)));
            check(&chain(num));
            check(&residual(num));
        }
    }

    #[test]
    fn frames_hold_their_members_and_nothing_else() {
        check(&nested());
        // A member that no other member is connected with, far from them.
        check(&chain(9).group("g", "a group", "", ["1", "7"]));
    }

    #[test]
    fn a_tangle_of_edges_is_drawn() {
        let edges = (0..60).flat_map(|i| [i + 1 + i * i % 7, i + 1 + i * 7 % 23].map(|j| (i, j)));
        let diagram =
            edges.filter(|&(_, j)| j < 60).fold(blocks(60), |d, (i, j)| d.edge(number(i), number(j)));
        let groups = (0..6).fold(diagram, |d, g| {
            d.group(format!("g{g}"), "group", "", (0..10).filter(|i| i % 3 > 0).map(|i| number(10 * g + i)))
        });
        check(&groups);
    }

    #[test]
    fn a_chain_is_straight() {
        for layout in [check(&chain(50)), check(&residual(52))] {
            let middle = |rect: &Rect| rect.x + rect.width / 2.0;
            assert!(layout.boxes.iter().all(|rect| middle(rect) == middle(&layout.boxes[0])));
        }
    }

    #[test]
    fn texts_are_escaped() {
        let svg = Diagram::new().block("a", Block::new("a<b>").kind("&").line("\"x\"")).to_svg().unwrap();
        assert!(svg.contains("a&lt;b&gt;") && svg.contains("&amp;") && !svg.contains("a<b>"));
    }

    #[test]
    fn messages() {
        let error = |diagram: Diagram| diagram.to_svg().unwrap_err().to_string();
        let two = || chain(2);
        assert_eq!(
            error(Diagram::new()),
            "error[data]: the diagram has no blocks\n  = help: add one with `.block(key, block)`"
        );
        assert!(error(two().edge("1", "0")).contains("the arrows of the diagram go round in a circle"));
        assert!(error(two().edge("0", "0")).contains("round in a circle"));
        assert!(error(two().edge("0", "7")).contains("no part with the key `7`"));
        assert!(
            error(two().block("0", Block::new(""))).contains("two parts of the diagram have the key `0`")
        );
        let none: [&str; 0] = [];
        assert!(error(two().group("g", "", "", none)).contains("the group `g` is empty"));
        assert!(error(two().group("g", "", "", ["g"])).contains("is a member of itself"));
        let twice = two().group("g", "", "", ["0"]).group("h", "", "", ["0"]);
        assert!(error(twice).contains("`0` is in the groups `g` and `h`"));
        let to_group = two().group("g", "", "", ["0"]).edge("g", "1");
        assert!(error(to_group).contains("an arrow cannot lead to or from the group `g`"));
    }

    #[test]
    fn a_diagram_is_saved_as_it_is_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.svg");
        nested().save(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), nested().to_svg().unwrap());
        let nowhere = nested().save("no/such/folder/a.svg").unwrap_err();
        assert_eq!((nowhere.code(), nowhere.title()), ("file", "cannot write `no/such/folder/a.svg`"));
    }
}
