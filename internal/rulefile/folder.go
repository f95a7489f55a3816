package rulefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFiles bounds a folder.
const maxFiles = 20_000

// ErrNoProject says that a folder has no ProjectFile.
var ErrNoProject = errors.New("there is no " + ProjectFile)

// Folder is what the files of one project say.
type Folder struct {
	Dir        string
	Project    *Project
	Promotions []Promotion // by id
	Suites     []*Suite    // by path
}

// Load reads every .yaml and .yml file below dir, hidden ones and folders of other projects left out: project.yaml, tests in files that end
// in _test.yaml, and promotions, one or a list in each document. The faults are those of the files; what is wrong with a promotion is not looked at. When a fault is an error the folder lacks what
// was at fault. Errors: ErrNoProject, and those of the file system.
func Load(dir string) (*Folder, []Fault, error) {
	paths, err := list(dir)
	if err != nil {
		return nil, nil, err
	}
	l := &loader{folder: &Folder{Dir: dir}}
	for _, path := range paths {
		if err := l.file(path); err != nil {
			return nil, nil, err
		}
	}
	if l.folder.Project == nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, ErrNoProject)
	}
	l.unique()
	Sort(l.faults)
	return l.folder, l.faults, nil
}

// list is the paths of the folder's files, in order.
func list(dir string) ([]string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: name the folder that it is in", dir)
	}
	var paths []string
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || isProject(path)):
			return filepath.SkipDir
		case entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || !isYAML(entry.Name()):
			return nil
		case len(paths) == maxFiles:
			return fmt.Errorf("%s has more than %d files", dir, maxFiles)
		}
		paths = append(paths, path)
		return nil
	})
	return paths, err
}

// isProject reports whether a folder is that of another project.
func isProject(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ProjectFile))
	return err == nil
}

func isYAML(name string) bool {
	extension := filepath.Ext(name)
	return extension == ".yaml" || extension == ".yml"
}

func isTest(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, filepath.Ext(name)), "_test")
}

// loader puts files into a folder.
type loader struct {
	folder *Folder
	faults []Fault
}

func (l *loader) file(path string) error {
	file, faults, err := readFile(path, filepath.Clean(path))
	if err != nil {
		return err
	}
	l.faults = append(l.faults, faults...)
	if len(faults) > 0 {
		if path == filepath.Join(l.folder.Dir, ProjectFile) {
			l.folder.Project = &Project{}
		}
		return nil
	}
	for _, root := range file.documents {
		switch {
		case path == filepath.Join(l.folder.Dir, ProjectFile):
			l.project(file, root)
		case isTest(filepath.Base(path)):
			l.suite(file, root)
		case root.Kind == yaml.SequenceNode:
			for _, item := range root.Content {
				l.promotion(file, item)
			}
		default:
			l.promotion(file, root)
		}
	}
	return nil
}

func (l *loader) project(file *File, root *yaml.Node) {
	if l.folder.Project != nil {
		l.faults = append(l.faults, file.fault(root, codeTwice, "a folder is one project: this is a second document"))
		return
	}
	p := &Project{}
	l.faults = append(l.faults, file.decode(root, p)...)
	l.faults = append(l.faults, p.declare(file, root)...)
	l.folder.Project = p
}

func (l *loader) promotion(file *File, root *yaml.Node) {
	if root.Kind == yaml.AliasNode {
		root = root.Alias
	}
	p := Promotion{File: file, root: root}
	if faults := file.decode(root, &p.Promotion); len(faults) > 0 {
		for i := range faults {
			faults[i].Promotion = p.ID
		}
		l.faults = append(l.faults, faults...)
		return
	}
	if p.ID == "" {
		l.faults = append(l.faults, file.fault(root, codeMissing, "give the promotion an id"))
		return
	}
	l.folder.Promotions = append(l.folder.Promotions, p)
}

func (l *loader) suite(file *File, root *yaml.Node) {
	s := &Suite{File: file, root: root}
	faults := file.decode(root, s)
	if len(faults) == 0 {
		faults = s.check()
	}
	if len(faults) > 0 {
		l.faults = append(l.faults, faults...)
		return
	}
	l.folder.Suites = append(l.folder.Suites, s)
}

// unique orders the promotions and refuses an id that two have.
func (l *loader) unique() {
	promotions := l.folder.Promotions
	slices.SortStableFunc(promotions, func(a, b Promotion) int { return strings.Compare(a.ID, b.ID) })
	for i := 1; i < len(promotions); i++ {
		first, second := &promotions[i-1], &promotions[i]
		if first.ID != second.ID {
			continue
		}
		node := find(first.root, []string{"id"})
		fault := second.File.Fault(second.root, []string{"id"}, codeTwice, "promotion %s stands also at %s:%d", second.ID, first.File.Path, node.Line)
		fault.Promotion = second.ID
		l.faults = append(l.faults, fault)
	}
	l.folder.Promotions = slices.CompactFunc(promotions, func(a, b Promotion) bool { return a.ID == b.ID })
}

// Promotion finds a promotion by id.
func (f *Folder) Promotion(id string) (*Promotion, bool) {
	i, ok := slices.BinarySearchFunc(f.Promotions, id, func(p Promotion, id string) int { return strings.Compare(p.ID, id) })
	if !ok {
		return nil, false
	}
	return &f.Promotions[i], true
}

// Check says everything about every promotion, in the order of the files.
func (f *Folder) Check() []Fault {
	faults := []Fault{}
	for i := range f.Promotions {
		faults = append(faults, f.Project.Check(&f.Promotions[i])...)
	}
	Sort(faults)
	return faults
}

// IDs are the ids of the promotions, in order.
func (f *Folder) IDs() []string {
	ids := make([]string, len(f.Promotions))
	for i := range f.Promotions {
		ids[i] = f.Promotions[i].ID
	}
	return ids
}
