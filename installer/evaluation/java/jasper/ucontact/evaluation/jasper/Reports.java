package ucontact.evaluation.jasper;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.xml.sax.SAXException;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/** The report templates in {@code reports/*.jrxml}: each must be readable as a JasperReport. */
public final class Reports implements Module {

    @Override
    public String name() {
        return "jasper";
    }

    @Override
    public Report report(Site site) {
        Set<String> names = new TreeSet<>();
        boolean readable = true;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(site.home().resolve("reports"), "*.jrxml")) {
            for (Path file : files) {
                names.add(title(file));
            }
        } catch (IOException | SAXException | ParserConfigurationException error) {
            System.out.println("error reports: " + error.getClass().getSimpleName());
            readable = false;
        }
        return new Report().check("reports", readable).fact("reports", names);
    }

    private static String title(Path file) throws IOException, SAXException, ParserConfigurationException {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        // No document type, hence no external entities: a template must not read other files.
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        try (InputStream in = Files.newInputStream(file)) {
            return factory.newDocumentBuilder().parse(in).getDocumentElement().getAttribute("name");
        }
    }
}
